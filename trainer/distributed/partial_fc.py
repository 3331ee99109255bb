"""Partial FC: the rows of a classifier, dealt over ranks, of which an update may touch a sample.

An et al., "Partial FC: Training 10 Million Identities on a Single Machine" (arXiv 2010.05222, section 3) and "Killing
Two Birds with One Stone" (CVPR 2022, arXiv 2203.15565, section 3): the classes of the batch and a random share of the
others are compared with. Who is chosen depends on seed and step alone, never on the number of ranks.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.ranks import deal, gather, rank, whole, world_size

# one random stream per so many classes: a rank draws what is its own without drawing all the rest
_BLOCK = 4096


class PartialFC(nn.Module):
    """This rank's rows [k, *row] of the classifier; `weight` is what the optimizer moves.

    `update` says what a sampled step moves. "sparse": only the chosen rows, with their own momentum and weight decay;
    `weight` then is just them, anew for each update, and the optimizer's state is swapped with it. "dense":
    all rows; those not chosen have a gradient of zero but go on with their momentum and weight decay, which any
    optimizer can do, at the price of a full step. AdamW's count of steps, which corrects its bias, is one for all rows.
    """

    rows: Tensor

    def __init__(
        self, classes: int, row: tuple[int, ...], *, sample_rate: float = 1.0, update: str = "sparse", seed: int = 0
    ) -> None:
        super().__init__()
        if update not in ("sparse", "dense"):
            raise UserError(f"update {update!r}: expected sparse or dense")
        if not 0 < sample_rate <= 1:
            raise UserError(f"sample_rate {sample_rate}: expected more than 0, at most 1")
        if classes < world_size():
            raise UserError(f"{classes} classes cannot be dealt over {world_size()} ranks: train with fewer ranks")
        self.classes, self.sample_rate, self.seed = classes, sample_rate, seed
        self.mine = deal(classes, rank=rank(), world=world_size())
        self.sparse = sample_rate < 1 and update == "sparse"
        # a standard deviation of .01, as the papers' own code starts
        drawn = torch.from_numpy(
            _drawn(self.mine, (seed,), lambda rng, n: rng.standard_normal((n, *row), np.float32) * np.float32(0.01))
        )
        self.register_buffer("rows", drawn if self.sparse else None)
        self.weight = nn.Parameter(drawn[:0].clone() if self.sparse else drawn)
        self.kept: dict[str, Tensor] = {}  # the optimizer's state of all rows, where `weight` holds a sample
        self.chosen: Tensor | None = None  # rows in use, ascending; None: all

    def begin(self, label: Tensor, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Choose the rows of one update: the classes of all ranks' labels [n], and a share of the others."""
        if self.sample_rate == 1:
            return
        label = gather(label)
        here = label[(label >= self.mine.start) & (label < self.mine.stop)] - self.mine.start
        keys = torch.from_numpy(_drawn(self.mine, (self.seed, step), lambda rng, n: rng.random(n, np.float32)))
        wanted = (keys <= self.sample_rate).to(label.device)  # perhaps none here: then other ranks own the batch's
        wanted[here] = True
        self.chosen = wanted.nonzero()[:, 0]
        if self.sparse:
            self._swap(nn.Parameter(self.rows[self.chosen]), optimizer)

    def _swap(self, sample: nn.Parameter, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimizer move a sample of the rows, with their state, in place of the last one.

        A new parameter, for autograd may still know the shape of the old one.
        """
        for group in optimizer.param_groups:
            group["params"] = [sample if p is self.weight else p for p in group["params"]]
        single = {name: value for name, value in optimizer.state.pop(self.weight, {}).items() if _is_single(value)}
        rows = {name: value[self.chosen] for name, value in self.kept.items()}
        if single or rows:
            optimizer.state[sample] = single | rows
        self.weight = sample

    def active(self) -> Tensor:
        """The rows [k, *row] that this update compares with."""
        if self.chosen is None and self.sample_rate < 1:
            raise RuntimeError("a sampled classifier was used without begin()")
        return self.weight if self.sparse or self.chosen is None else self.weight.index_select(0, self.chosen)

    def place(self, label: Tensor) -> Tensor:
        """Where in active() the classes label [n] are; -1 for those of other ranks."""
        local = label - self.mine.start
        here = (local >= 0) & (label < self.mine.stop)
        if self.chosen is None:
            return torch.where(here, local, -1)
        if not len(self.chosen):
            return torch.full_like(label, -1)
        at = torch.searchsorted(self.chosen, local).clamp(max=len(self.chosen) - 1)
        return torch.where(here & (self.chosen[at] == local), at, -1)

    def end(self, optimizer: torch.optim.Optimizer) -> None:
        """After the optimizer's step: chosen rows and their optimizer state go back to all rows."""
        if self.sparse and self.chosen is not None:
            self.rows[self.chosen] = self.weight.detach()
            for name, value in _rows_of(optimizer, self.weight).items():
                if name not in self.kept:
                    self.kept[name] = torch.zeros_like(self.rows)
                self.kept[name][self.chosen] = value
        self.chosen = None

    def all_rows(self) -> Tensor:
        """This rank's rows [classes here, *row], without gradient."""
        return self.rows if self.sparse else self.weight.detach()

    def whole_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """On rank 0 weight [classes, *row] and its optimizer state, by name; empty elsewhere. All ranks call it."""
        local = self.kept if self.sparse else _rows_of(optimizer, self.weight)
        rows = {"weight": self.all_rows()} | {f"optimizer.{name}": local[name] for name in sorted(local)}
        dealt = {name: whole(value, self.classes) for name, value in rows.items()}
        single = {f"optimizer.{n}": v.cpu() for n, v in optimizer.state[self.weight].items() if _is_single(v)}
        return {name: value for name, value in (dealt | single).items() if value is not None and rank() == 0}

    def load_whole_state(self, state: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Take this rank's rows of what whole_state gave, on whatever number of ranks. Raises UserError for others."""
        shape = (self.classes, *self.all_rows().shape[1:])
        if "weight" not in state or state["weight"].shape != shape:
            found = tuple(state["weight"].shape) if "weight" in state else "none"
            raise UserError(f"the checkpoint's classifier is {found}, this run's {shape}: other data or another loss?")
        with torch.no_grad():
            self.all_rows().copy_(state["weight"][self.mine])
        at, kept = self.weight.device, optimizer.state[self.weight]
        kept.clear()
        self.kept.clear()
        for name, value in state.items():
            if not name.startswith("optimizer."):
                continue
            name = name.removeprefix("optimizer.")
            if _is_single(value):
                kept[name] = value.to(at if _counts_on_device(optimizer, self.weight) else "cpu", copy=True)
            else:
                (self.kept if self.sparse else kept)[name] = value[self.mine].to(at, copy=True)
        self.chosen = None


def _drawn(
    classes: slice, key: tuple[int, ...], draw: Callable[[np.random.Generator, int], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """What draw(rng, n) gives for consecutive classes, each block of classes from its own stream."""
    parts = []
    for block in range(classes.start // _BLOCK, -(-classes.stop // _BLOCK)):
        first = block * _BLOCK
        upto = min(classes.stop - first, _BLOCK)
        parts.append(draw(np.random.default_rng((*key, block)), upto)[max(classes.start - first, 0) :])
    return np.concatenate(parts)


def _rows_of(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> dict[str, Tensor]:
    """The optimizer's state that has a row for each row of the weight: momentum, or AdamW's two averages."""
    state = optimizer.state[weight]
    return {name: value for name, value in state.items() if isinstance(value, Tensor) and value.shape == weight.shape}


def _is_single(value: object) -> bool:
    return isinstance(value, Tensor) and value.ndim == 0


def _counts_on_device(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> bool:
    """Whether this optimizer wants its count of steps beside the weight."""
    group = next(g for g in optimizer.param_groups if any(p is weight for p in g["params"]))
    return bool(group.get("fused") or group.get("capturable"))
