"""Partial FC: a classifier whose rows, one per class, are spread over ranks; an update may use a random sample of them.

An et al., "Partial FC: Training 10 Million Identities on a Single Machine" (arXiv 2010.05222, section 3) and "Killing
Two Birds with One Stone" (CVPR 2022, arXiv 2203.15565, section 3): a photo is compared with the classes of the batch
and with random other classes. The sample depends on the labels, seed and step alone, not on the number of ranks.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.class_sample import random_rows, sample_classes
from trainer.distributed.exchange import value_of_rank_0
from trainer.distributed.ranks import collect_on_rank_0, rank, rows_of_rank, scatter_from_rank_0, world_size
from trainer.distributed.replicated import counts_steps_on_device
from trainer.distributed.transfer import copied_to_cpu, to_device


class PartialFC(nn.Module):
    """This rank's rows [k, *row] of the classifier's weights; `weight` is the parameter that the optimizer changes.

    classes: over all ranks; row: the shape of one class's weights. sample_rate: the share of the classes that an update
    uses, those of its batch among them (see class_sample.py). update: which rows an update with a sample changes.
    "sparse": the sampled rows only, with their own momentum and weight decay; `weight` then holds only these rows, as a
    new parameter in each update, and the optimizer's state is replaced along with it. "dense": all rows; rows outside
    the sample have gradient 0 and still change by momentum and weight decay, which costs the time of a full step.
    AdamW's step count, by which it corrects its averages, is the same for all rows.
    """

    rows: Tensor  # all of this rank's rows, when `weight` holds a sample of them

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
        # a standard deviation of .01, as in the code that the papers' authors published
        initial = torch.from_numpy(
            random_rows(
                self.owned, (seed,), lambda rng, n: rng.standard_normal((n, *row), np.float32) * np.float32(0.01)
            )
        )
        self.register_buffer("rows", initial if self.sparse else None)
        self.weight = nn.Parameter(initial[:0].clone() if self.sparse else initial)
        self.optimizer_rows: dict[str, Tensor] = {}  # optimizer state of all rows, when `weight` holds a sample of them
        self.sampled: Tensor | None = None  # numbers of the sampled rows, ascending; None: all rows are used

    def begin_update(self, labels: Tensor, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Sample the rows of one update; labels [batch]: of all ranks' photos, in CPU memory.

        They are in CPU memory so that the size of the sample is known without waiting for a GPU's earlier work.
        """
        if self.sample_rate == 1:
            return
        classes = sample_classes(
            labels.numpy(), self.owned, classes=self.classes, rate=self.sample_rate, seed=(self.seed, step)
        )  # may be none, when no class of the batch is owned
        sampled = torch.from_numpy(classes - self.owned.start)
        self.sampled = to_device(sampled, self.weight.device)
        if self.sparse:
            self._replace_weight(nn.Parameter(self.rows[self.sampled]), optimizer)

    def _replace_weight(self, sample: nn.Parameter, optimizer: torch.optim.Optimizer) -> None:
        """Make the sampled rows the parameter `weight`, and give the optimizer the state of these rows.

        It is a new parameter, because autograd may still hold the shape of the earlier one.
        """
        for group in optimizer.param_groups:
            group["params"] = [sample if p is self.weight else p for p in group["params"]]
        scalars = {name: value for name, value in optimizer.state.pop(self.weight, {}).items() if _is_scalar(value)}
        rows = {name: value[self.sampled] for name, value in self.optimizer_rows.items()}
        if scalars or rows:
            optimizer.state[sample] = scalars | rows
        self.weight = sample

    def rows_in_use(self) -> Tensor:
        """The rows [k, *row] of the classes that this update compares photos with: the sample, or all rows."""
        if self.sampled is None and self.sample_rate < 1:
            raise RuntimeError("a sampled classifier was used without begin_update()")
        return self.weight if self.sparse or self.sampled is None else self.weight.index_select(0, self.sampled)

    def columns_of(self, label: Tensor) -> Tensor:
        """For each label [n] the number of its class in rows_in_use(); -1 for a class that is not among them.

        It is also the class's column in the matrix of logits.
        """
        local = label - self.owned.start
        owned = (local >= 0) & (label < self.owned.stop)
        if self.sampled is None:
            return torch.where(owned, local, -1)
        if not len(self.sampled):
            return torch.full_like(label, -1)
        at = torch.searchsorted(self.sampled, local).clamp(max=len(self.sampled) - 1)
        return torch.where(owned & (self.sampled[at] == local), at, -1)

    def end_update(self, optimizer: torch.optim.Optimizer) -> None:
        """To call after the optimizer's step: copy the sampled rows and their optimizer state back to all rows."""
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
        """The weights [classes, *row] of all ranks as "weight", and their optimizer state as "optimizer.NAME".

        All ranks call this; the dict is empty on all ranks but rank 0.
        """
        local = self.optimizer_rows if self.sparse else _row_state(optimizer, self.weight)
        rows = {"weight": self.all_rows()} | {f"optimizer.{name}": local[name] for name in sorted(local)}
        collected = {name: collect_on_rank_0(value, self.classes) for name, value in rows.items()}
        state = optimizer.state[self.weight]
        scalars = {f"optimizer.{name}": copied_to_cpu(v) for name, v in state.items() if _is_scalar(v)}
        return {name: value for name, value in (collected | scalars).items() if value is not None and rank() == 0}

    def load_whole_state(self, state: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Load this rank's rows from a whole_state(), which any number of ranks may have written.

        All ranks call this; the state is that of rank 0, which sends the other ranks their rows. Raises UserError when
        the weights have another shape.
        """
        shape = (self.classes, *self.all_rows().shape[1:])
        listed = value_of_rank_0(
            lambda: {n: [list(v.shape), float(v) if _is_scalar(v) else 0] for n, v in state.items()}
        )
        if "weight" not in listed or tuple(listed["weight"][0]) != shape:
            actual = tuple(listed["weight"][0]) if "weight" in listed else "none"
            raise UserError(
                f"the checkpoint's classifier has the shape {actual}, this run's {shape}: "
                "give the data set and loss that it was trained with"
            )
        rows, device, weight_state = self.all_rows(), self.weight.device, optimizer.state[self.weight]
        with torch.no_grad():
            rows.copy_(scatter_from_rank_0(state.get("weight"), self.classes, rows))
        weight_state.clear()
        self.optimizer_rows.clear()
        for key, (value_shape, number) in sorted(listed.items()):
            name = key.removeprefix("optimizer.")
            if name == key:
                continue
            if not value_shape:
                on_device = counts_steps_on_device(optimizer, self.weight)
                dtype = torch.float32 if on_device else torch.get_default_dtype()  # as torch's optimizers begin it
                weight_state[name] = torch.tensor(number, dtype=dtype, device=device if on_device else "cpu")
            else:
                row_state = self.optimizer_rows if self.sparse else weight_state
                row_state[name] = scatter_from_rank_0(state.get(key), self.classes, rows)
        self.sampled = None


def _row_state(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> dict[str, Tensor]:
    """The tensors of the optimizer's state with a row per row of the weight: momentum, or AdamW's two averages."""
    state = optimizer.state[weight]
    return {name: value for name, value in state.items() if isinstance(value, Tensor) and value.shape == weight.shape}


def _is_scalar(value: object) -> bool:
    return isinstance(value, Tensor) and value.ndim == 0
