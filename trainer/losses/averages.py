"""Moving averages of numbers of the batches, on which a head's margin depends. They are part of a checkpoint."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.ranks import rank
from trainer.distributed.replicated import load_replicated

KEY = "averages"  # in the state of a checkpoint


class Averages(nn.Module):
    """Exponential moving averages `values` [k]: each batch's numbers have the weight `rate`, the earlier ones the rest.

    They are the same on all ranks, because every rank computes a batch's numbers over all ranks' photos.
    """

    values: Tensor

    def __init__(self, first: tuple[float, ...], rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("values", torch.tensor(first))

    @torch.no_grad()
    def add(self, batch: Tensor) -> None:
        """Take the numbers [k] of a batch in. One that is not finite (loss scaling may overflow) changes nothing."""
        moved = self.rate * batch.to(self.values) + (1 - self.rate) * self.values
        self.values = torch.where(moved.isfinite(), moved, self.values)

    def whole_state(self) -> dict[str, Tensor]:
        """The averages for a checkpoint; empty on all ranks but rank 0."""
        return {KEY: self.values.detach().cpu().clone()} if rank() == 0 else {}

    def load_whole_state(self, state: Mapping[str, Tensor]) -> None:
        """Load the averages of a checkpoint, the state that rank 0 has; all ranks call this.

        Raises UserError where it has none, or another number of them.
        """
        values = load_replicated(state, KEY, self.values)
        if values is None:
            raise UserError(f"the checkpoint has not the {len(self.values)} averages of this loss: give its own loss")
        self.values = values
