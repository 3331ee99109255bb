"""Terms beside a softmax: how the photos' losses become one number, and what is added to it.

They take features x [n, d] and this rank's class weights w [k, d]; column [n] is a photo's own class among the weights,
-1 on another rank. A term that sums over this rank's classes or photos returns this rank's share (see ranks).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.ranks import (
    collect_on_rank_0,
    rank,
    rows_at,
    rows_of_rank,
    sum_as_input,
    sum_over_ranks,
    world_size,
)
from trainer.losses.l2_normalize import l2_normalize
from trainer.losses.margins import INSIDE, arc_cosine


@dataclass(frozen=True)
class Focal:
    """(1 - p)^gamma times cross-entropy: focal loss (Lin et al., arXiv 1708.02002, section 3.2, equation 4)."""

    gamma: float = 2.0

    def __call__(self, losses: Tensor) -> Tensor:
        """Photos' cross-entropies [n], weighted down where the class is already probable."""
        # clamped at 0: rounding may put 1 - p below, where a power has no value
        return (-torch.expm1(-losses)).clamp(min=0) ** self.gamma * losses


@dataclass(frozen=True)
class HardExamples:
    """Only the photos with the largest losses: online hard example mining (Shrivastava et al., arXiv 1604.03540, 4)."""

    share: float = 0.5

    def __call__(self, losses: Tensor) -> Tensor:
        """The largest ceil(share n) of the losses [n], at least one."""
        return losses.topk(max(1, -int(-self.share * len(losses) // 1))).values


@dataclass(frozen=True)
class Intra:
    """weight times the mean of angle / pi between photo and own class (ArcFace v3, section 2.4, equation 5)."""

    weight: float = 1.0

    def __call__(self, x: Tensor, w: Tensor, column: Tensor) -> Tensor:
        """This rank's share: of the photos whose class is in w."""
        cosine = (l2_normalize(x) * rows_at(l2_normalize(w), column)).sum(1)
        return self.weight * torch.where(column >= 0, arc_cosine(cosine) / torch.pi, 0).sum() / len(x)


@dataclass(frozen=True)
class Inter:
    """weight times the mean energy |w_y - w_j|^-power of photos' classes y and all other classes j, weights of norm 1.

    Minimum hyperspherical energy (Liu et al., arXiv 1805.09298, section 3.1, equations 1 and 2; power 0 is the
    logarithm of the inverse distance) in its form for mini-batches: a class without a photo in the batch is only ever
    an other class. With `angle`, minus the mean angle / pi instead: ArcFace v3, section 2.4, equation 6.
    """

    weight: float = 1.0
    power: float = 2.0
    angle: bool = False

    def __call__(self, w: Tensor, column: Tensor) -> Tensor:
        """This rank's share: the pairs whose second class is in w."""
        w, here = l2_normalize(w), column >= 0
        # each rank contributes the photos' classes that it owns; then all ranks compare them with their own weights
        own = sum_as_input(torch.where(here[:, None], rows_at(w, column), 0))
        cosine = own @ w.T
        if self.angle:
            energy = -arc_cosine(cosine) / torch.pi
        else:
            # two equal weights would have an infinite energy
            squared = (2 - 2 * cosine).clamp(min=2 * INSIDE)
            energy = -squared.log() / 2 if self.power == 0 else squared ** (-self.power / 2)
        itself = torch.arange(len(w), device=w.device) == column[:, None]
        others = sum_over_ranks(torch.tensor(len(w), device=w.device)) - 1
        return self.weight * energy.masked_fill(itself, 0).sum() / (len(column) * others.clamp(min=1))


@dataclass(frozen=True)
class Centre:
    """weight / 2 times the mean of |x - c_y|^2 for class centres c, which move with the features.

    Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition" (ECCV 2016), section 3.2,
    equations 2 to 4; weight and rate (lambda and alpha) as in its section 4.
    """

    weight: float = 0.003
    rate: float = 0.5


class Centres(nn.Module):
    """The centres [owned classes, d] of this rank's classes, moved by the paper's own rule and not by an optimizer.

    After an update c_j moves by -rate sum(c_j - x_i) / (1 + n_j), over the n_j photos of class j in the batch.
    """

    rows: Tensor

    def __init__(self, term: Centre, classes: int, dim: int) -> None:
        super().__init__()
        self.term, self.classes = term, classes
        self.owned = rows_of_rank(classes, rank=rank(), world=world_size())
        self.register_buffer("rows", torch.zeros(self.owned.stop - self.owned.start, dim))
        self.batch: list[tuple[Tensor, Tensor]] = []  # rows and features of the photos since the last update

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """This rank's share of the loss of all ranks' x [n, d]: of the photos whose class label [n] it owns."""
        owned = (label >= self.owned.start) & (label < self.owned.stop)
        row = (label - self.owned.start).clamp(0, len(self.rows) - 1)
        if self.training:
            self.batch.append((torch.where(owned, row, -1), x.detach()))
        squared = (x - self.rows[row]).square().sum(1)
        return self.term.weight / 2 * torch.where(owned, squared, 0).sum() / len(x)

    @torch.no_grad()
    def end_update(self) -> None:
        """Move the centres by the photos of the update."""
        if not self.batch:
            return
        row, x = (torch.cat(parts) for parts in zip(*self.batch, strict=True))
        row, x = row[row >= 0], x[row >= 0]
        apart = torch.zeros_like(self.rows).index_add_(0, row, self.rows[row] - x.to(self.rows.dtype))
        count = torch.bincount(row, minlength=len(self.rows))[:, None]
        self.rows -= self.term.rate * apart / (1 + count)
        self.batch.clear()

    def whole_state(self) -> dict[str, Tensor]:
        """On rank 0 all centres [classes, d] as "centre"; empty elsewhere. All ranks call it."""
        rows = collect_on_rank_0(self.rows, self.classes)
        return {} if rows is None else {"centre": rows}

    def load_whole_state(self, state: Mapping[str, Tensor]) -> None:
        """Take this rank's centres of a whole_state(). Raises UserError where there are none, or of another shape."""
        shape = (self.classes, self.rows.shape[1])
        if "centre" not in state or state["centre"].shape != shape:
            raise UserError(f"the checkpoint has no class centres {shape}: was it another loss, or other data?")
        self.rows.copy_(state["centre"][self.owned])
