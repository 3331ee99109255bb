"""Further terms of a loss: some weight or select the photos' losses, others are added to the mean of these losses.

They take features x [n, d] and this rank's class weights w [k, d]. column [n] is the row in w of each photo's own
class, -1 when another rank owns the class. A term that sums over this rank's classes or photos returns this rank's
share (see ranks.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.exchange import value_of_rank_0
from trainer.distributed.ranks import (
    collect_on_rank_0,
    rank,
    rows_at,
    rows_of_rank,
    scatter_from_rank_0,
    sum_as_input,
    sum_over_ranks,
    world_size,
)
from trainer.losses.l2_normalize import l2_normalize
from trainer.losses.margins import CLAMP_DISTANCE, arc_cosine


@dataclass(frozen=True)
class Focal:
    """(1 - p)^gamma times cross-entropy: focal loss (Lin et al., arXiv 1708.02002, section 3.2, equation 4).

    At p = 1 the loss and its gradient are 0 for every gamma above 0.
    """

    gamma: float = 2.0

    def __call__(self, losses: Tensor) -> Tensor:
        """The photos' cross-entropies [n], with less weight for photos whose class already has a high probability p."""
        # clamped because rounding may make 1 - p negative, which has no power, and because a power below 1 has an
        # infinite slope at 0; the clamped value has none, and its power is small enough not to count
        return (-torch.expm1(-losses)).clamp(min=torch.finfo(losses.dtype).tiny) ** self.gamma * losses


@dataclass(frozen=True)
class HardExamples:
    """Selects the photos with the largest losses: online hard example mining.

    Shrivastava et al., arXiv 1604.03540, section 4. share: of the photos.
    """

    share: float = 0.5

    def __call__(self, losses: Tensor) -> Tensor:
        """The largest ceil(share n) of the losses [n], at least one."""
        return losses.topk(max(1, -int(-self.share * len(losses) // 1))).values


@dataclass(frozen=True)
class Intra:
    """weight times the mean angle between photos and their own class, divided by pi.

    ArcFace v3, section 2.4, equation 5.
    """

    weight: float = 1.0

    def __call__(self, x: Tensor, w: Tensor, column: Tensor) -> Tensor:
        """This rank's share of the term: the sum over photos whose class is in w."""
        cosine = (l2_normalize(x) * rows_at(l2_normalize(w), column)).sum(1)
        return self.weight * torch.where(column >= 0, arc_cosine(cosine) / torch.pi, 0).sum() / len(x)


@dataclass(frozen=True)
class Inter:
    """weight times the mean of |w_y - w_j|^-power over the photos' classes y and all other classes j.

    The class weights w have norm 1. This is minimum hyperspherical energy (Liu et al., arXiv 1805.09298, section 3.1,
    equations 1 and 2; power 0 stands for the logarithm of the inverse distance) in its form for mini-batches, where y
    takes only the classes of the batch. With `angle` it is minus the mean angle between w_y and w_j, divided by pi:
    ArcFace v3, section 2.4, equation 6.
    """

    weight: float = 1.0
    power: float = 2.0
    angle: bool = False

    def __call__(self, w: Tensor, column: Tensor) -> Tensor:
        """This rank's share of the term: the sum over pairs of classes whose second class is in w."""
        w, on_this_rank = l2_normalize(w), column >= 0
        # each rank gives the weights of the photos' classes that it owns; all ranks then compare them with their w
        own = sum_as_input(torch.where(on_this_rank[:, None], rows_at(w, column), 0))
        cosine = own @ w.T
        if self.angle:
            energy = -arc_cosine(cosine) / torch.pi
        else:
            # clamped because two equal weights would have an infinite energy
            squared_distance = (2 - 2 * cosine).clamp(min=2 * CLAMP_DISTANCE)
            energy = -squared_distance.log() / 2 if self.power == 0 else squared_distance ** (-self.power / 2)
        is_own = torch.arange(len(w), device=w.device) == column[:, None]
        other_classes = sum_over_ranks(torch.tensor(len(w), device=w.device)) - 1
        return self.weight * energy.masked_fill(is_own, 0).sum() / (len(column) * other_classes.clamp(min=1))


@dataclass(frozen=True)
class Centre:
    """The settings of the centre loss: weight / 2 times the mean of |x - c_y|^2 for features x and class centres c_y.

    The centres move towards the features at `rate`. Wen et al., "A Discriminative Feature Learning Approach for Deep
    Face Recognition" (ECCV 2016), section 3.2, equations 2 to 4; weight and rate (lambda and alpha) as in its section
    4.
    """

    weight: float = 0.003
    rate: float = 0.5


class Centres(nn.Module):
    """The centre loss with the centres [owned classes, d] of this rank's classes.

    The paper's own rule moves the centres, not an optimizer: after an update c_j moves by
    -rate sum(c_j - x_i) / (1 + n_j), over the n_j photos of class j in the batch.
    """

    rows: Tensor

    def __init__(self, term: Centre, classes: int, dim: int) -> None:
        super().__init__()
        self.term, self.classes = term, classes
        self.owned = rows_of_rank(classes, rank=rank(), world=world_size())
        self.register_buffer("rows", torch.zeros(self.owned.stop - self.owned.start, dim))
        self.batch: list[tuple[Tensor, Tensor]] = []  # rows and features of the update's photos, for each micro-batch

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """This rank's share of the loss: the sum over photos whose class it owns.

        x [n, d] and label [n]: the features and labels of all ranks' photos.
        """
        is_owned = (label >= self.owned.start) & (label < self.owned.stop)
        row = (label - self.owned.start).clamp(0, len(self.rows) - 1)
        if self.training:
            self.batch.append((torch.where(is_owned, row, -1), x.detach()))
        squared_distance = (x - self.rows[row]).square().sum(1)
        return self.term.weight / 2 * torch.where(is_owned, squared_distance, 0).sum() / len(x)

    @torch.no_grad()
    def end_update(self) -> None:
        """Move the centres towards the photos of the update."""
        if not self.batch:
            return
        row, x = (torch.cat(parts) for parts in zip(*self.batch, strict=True))
        row, x = row[row >= 0], x[row >= 0]
        differences = torch.zeros_like(self.rows).index_add_(0, row, self.rows[row] - x.to(self.rows.dtype))
        count = torch.bincount(row, minlength=len(self.rows))[:, None]
        self.rows -= self.term.rate * differences / (1 + count)
        self.batch.clear()

    def whole_state(self) -> dict[str, Tensor]:
        """The centres [classes, d] of all ranks as "centre"; all ranks call this, and it is empty on all but rank 0."""
        rows = collect_on_rank_0(self.rows, self.classes)
        return {} if rows is None else {"centre": rows}

    def load_whole_state(self, state: Mapping[str, Tensor]) -> None:
        """Load this rank's centres from the whole_state() that rank 0 has; all ranks call this.

        Raises UserError when it has none, or of another shape.
        """
        shape = (self.classes, self.rows.shape[1])
        if value_of_rank_0(lambda: list(state["centre"].shape) if "centre" in state else []) != list(shape):
            raise UserError(
                f"the checkpoint has no class centres of shape {shape}: "
                "give the data set and loss that it was trained with"
            )
        self.rows.copy_(scatter_from_rank_0(state.get("centre"), self.classes, self.rows))
