"""Partial FC: the classifier's rows spread over ranks, of which one update may use a random sample.

An et al., "Partial FC: Training 10 Million Identities on a Single Machine" (arXiv 2010.05222, section 3) and "Killing
Two Birds with One Stone" (CVPR 2022, arXiv 2203.15565, section 3): a photo is compared with the classes of the batch
and with a random share of the others. The sample depends on seed and step alone, never on the number of ranks.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.ranks import collect_on_rank_0, gather, rank, rows_of_rank, world_size

# classes that share a random stream: a rank draws for its own classes without drawing for all the others
_BLOCK = 4096


class PartialFC(nn.Module):
    """This rank's rows [k, *row] of the classifier; `weight` is the parameter that the optimizer moves.

    update: what a sampled step moves. "sparse": the sampled rows only, by their own momentum and weight decay; `weight`
    then holds just these rows, a new parameter at each update, and the optimizer's state is swapped with it. "dense":
    all rows; the others have a gradient of zero and still move by momentum and weight decay, which works with any
    optimizer and costs a full step. AdamW's step count, which corrects its bias, is one for all rows.
    """

    rows: Tensor  # all of this rank's rows, where `weight` holds a sample

    def __init__(
        self, classes: int, row: tuple[int, ...], *, sample_rate: float = 1.0, update: str = "sparse", seed: int = 0
    ) -> None:
        super().__init__()
        if update not in ("sparse", "dense"):
            raise UserError(f"update {update!r}: expected sparse or dense")
        if not 0 < sample_rate <= 1:
            raise UserError(f"sample_rate {sample_rate}: expected more than 0, at most 1")
        if classes < world_size():
            raise UserError(f"{classes} classes cannot be spread over {world_size()} ranks: train with fewer ranks")
        self.classes, self.sample_rate, self.seed = classes, sample_rate, seed
        self.owned = rows_of_rank(classes, rank=rank(), world=world_size())
        self.sparse = sample_rate < 1 and update == "sparse"
        # a standard deviation of .01, as the papers' own code starts
        initial = torch.from_numpy(
            _draw(self.owned, (seed,), lambda rng, n: rng.standard_normal((n, *row), np.float32) * np.float32(0.01))
        )
        self.register_buffer("rows", initial if self.sparse else None)
        self.weight = nn.Parameter(initial[:0].clone() if self.sparse else initial)
        self.optimizer_rows: dict[str, Tensor] = {}  # the optimizer's state of all rows, where `weight` holds a sample
        self.sampled: Tensor | None = None  # numbers of the rows in use, ascending; None: all

    def begin_update(self, label: Tensor, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Sample the rows of one update: the classes of all ranks' labels [n], and a share of the others."""
        if self.sample_rate == 1:
            return
        label = gather(label)
        of_batch = label[(label >= self.owned.start) & (label < self.owned.stop)] - self.owned.start
        keys = torch.from_numpy(_draw(self.owned, (self.seed, step), lambda rng, n: rng.random(n, np.float32)))
        chosen = (keys <= self.sample_rate).to(label.device)  # may be none on a rank that owns no class of the batch
        chosen[of_batch] = True
        self.sampled = chosen.nonzero()[:, 0]
        if self.sparse:
            self._swap(nn.Parameter(self.rows[self.sampled]), optimizer)

    def _swap(self, sample: nn.Parameter, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimizer move this sample of the rows, with their state, in place of the last one.

        It is a new parameter, because autograd may still hold the shape of the old one.
        """
        for group in optimizer.param_groups:
            group["params"] = [sample if p is self.weight else p for p in group["params"]]
        scalars = {name: value for name, value in optimizer.state.pop(self.weight, {}).items() if _is_scalar(value)}
        rows = {name: value[self.sampled] for name, value in self.optimizer_rows.items()}
        if scalars or rows:
            optimizer.state[sample] = scalars | rows
        self.weight = sample

    def active(self) -> Tensor:
        """The rows [k, *row] that this update compares photos with."""
        if self.sampled is None and self.sample_rate < 1:
            raise RuntimeError("a sampled classifier was used without begin_update()")
        return self.weight if self.sparse or self.sampled is None else self.weight.index_select(0, self.sampled)

    def columns(self, label: Tensor) -> Tensor:
        """Which row of active() each class label [n] is; -1 for a class of another rank."""
        local = label - self.owned.start
        owned = (local >= 0) & (label < self.owned.stop)
        if self.sampled is None:
            return torch.where(owned, local, -1)
        if not len(self.sampled):
            return torch.full_like(label, -1)
        at = torch.searchsorted(self.sampled, local).clamp(max=len(self.sampled) - 1)
        return torch.where(owned & (self.sampled[at] == local), at, -1)

    def end_update(self, optimizer: torch.optim.Optimizer) -> None:
        """After the optimizer's step: write the sampled rows and their optimizer state back among all rows."""
        if self.sparse and self.sampled is not None:
            self.rows[self.sampled] = self.weight.detach()
            for name, value in _row_state(optimizer, self.weight).items():
                if name not in self.optimizer_rows:
                    self.optimizer_rows[name] = torch.zeros_like(self.rows)
                self.optimizer_rows[name][self.sampled] = value
        self.sampled = None

    def all_rows(self) -> Tensor:
        """This rank's rows [owned classes, *row], without gradient."""
        return self.rows if self.sparse else self.weight.detach()

    def whole_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """On rank 0 weight [classes, *row] and its optimizer state, by name; empty elsewhere. All ranks call it."""
        local = self.optimizer_rows if self.sparse else _row_state(optimizer, self.weight)
        rows = {"weight": self.all_rows()} | {f"optimizer.{name}": local[name] for name in sorted(local)}
        collected = {name: collect_on_rank_0(value, self.classes) for name, value in rows.items()}
        scalars = {f"optimizer.{n}": v.cpu() for n, v in optimizer.state[self.weight].items() if _is_scalar(v)}
        return {name: value for name, value in (collected | scalars).items() if value is not None and rank() == 0}

    def load_whole_state(self, state: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Take this rank's rows of a whole_state(), whatever the number of ranks then. UserError for another shape."""
        shape = (self.classes, *self.all_rows().shape[1:])
        if "weight" not in state or state["weight"].shape != shape:
            actual = tuple(state["weight"].shape) if "weight" in state else "none"
            raise UserError(f"the checkpoint's classifier is {actual}, this run's {shape}: other data or another loss?")
        with torch.no_grad():
            self.all_rows().copy_(state["weight"][self.owned])
        device, of_weight = self.weight.device, optimizer.state[self.weight]
        of_weight.clear()
        self.optimizer_rows.clear()
        for name, value in state.items():
            if not name.startswith("optimizer."):
                continue
            name = name.removeprefix("optimizer.")
            if _is_scalar(value):
                of_weight[name] = value.to(device if _counts_on_device(optimizer, self.weight) else "cpu", copy=True)
            else:
                rows = self.optimizer_rows if self.sparse else of_weight
                rows[name] = value[self.owned].to(device, copy=True)
        self.sampled = None


def _draw(
    classes: slice, key: tuple[int, ...], draw: Callable[[np.random.Generator, int], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """What draw(rng, n) gives for consecutive classes; each block of classes has its own random stream."""
    parts = []
    for block in range(classes.start // _BLOCK, -(-classes.stop // _BLOCK)):
        first = block * _BLOCK
        count = min(classes.stop - first, _BLOCK)
        parts.append(draw(np.random.default_rng((*key, block)), count)[max(classes.start - first, 0) :])
    return np.concatenate(parts)


def _row_state(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> dict[str, Tensor]:
    """The optimizer's state that has a row for each row of the weight: momentum, or AdamW's two averages."""
    state = optimizer.state[weight]
    return {name: value for name, value in state.items() if isinstance(value, Tensor) and value.shape == weight.shape}


def _is_scalar(value: object) -> bool:
    return isinstance(value, Tensor) and value.ndim == 0


def _counts_on_device(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> bool:
    """Whether this optimizer wants its step count on the weight's device."""
    group = next(g for g in optimizer.param_groups if any(p is weight for p in g["params"]))
    return bool(group.get("fused") or group.get("capturable"))
