"""Terms beside or around a softmax: how the loss of each photo becomes one number, and what is added to it.

Functions of features x [n, d] and of this rank's class weights; where a term sums over classes or photos of this rank
only, it returns this rank's share (see ranks). `place` [n] is a photo's class among the weights, -1: on another rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.ranks import deal, own_rows, rank, sum_over_ranks, total, whole, world_size
from trainer.losses.l2_normalize import unit

# a cosine stays this far from 1, where its angle has no finite slope and the energy of two equal weights no end
_INSIDE = 1e-6


@dataclass(frozen=True)
class Focal:
    """(1 - p)^gamma times cross-entropy: focal loss (Lin et al., arXiv 1708.02002, section 3.2, equation 4)."""

    gamma: float = 2.0

    def __call__(self, each: Tensor) -> Tensor:
        """Photos' cross-entropies [n] weighted down where the class is already probable."""
        # not below 0, where rounding may put it and a power has no value
        return (-torch.expm1(-each)).clamp(min=0) ** self.gamma * each


@dataclass(frozen=True)
class HardExamples:
    """Only the hardest share counts: online hard example mining (Shrivastava et al., arXiv 1604.03540, section 4)."""

    share: float = 0.5

    def __call__(self, each: Tensor) -> Tensor:
        """The largest of the losses [n], at least one: [ceil(share n)]."""
        return each.topk(max(1, -int(-self.share * len(each) // 1))).values


@dataclass(frozen=True)
class Intra:
    """weight times the mean of angle / pi between photo and own class (ArcFace v3, section 2.4, equation 5)."""

    weight: float = 1.0

    def __call__(self, x: Tensor, w: Tensor, place: Tensor) -> Tensor:
        """This rank's share: of x [n, d], those whose class is in w [k, d]."""
        cosine = (unit(x) * own_rows(unit(w), place)).sum(1)
        angle = torch.arccos(cosine.clamp(-1 + _INSIDE, 1 - _INSIDE)) / torch.pi
        return self.weight * torch.where(place >= 0, angle, 0).sum() / len(x)


@dataclass(frozen=True)
class Inter:
    """weight times the mean energy |w_y - w_j|^-power between photos' classes y and all other classes j, norms 1.

    Minimum hyperspherical energy (Liu et al., arXiv 1805.09298, section 3.1, equations 1 and 2; power 0 is the
    logarithm of the inverse distance), in its form for mini-batches: classes without a photo in it are
    only the others. With `angle`, minus the mean angle / pi instead: the form in ArcFace v3, section 2.4, equation 6.
    """

    weight: float = 1.0
    power: float = 2.0
    angle: bool = False

    def __call__(self, w: Tensor, place: Tensor) -> Tensor:
        """This rank's share: the pairs whose second class is in w [k, d]."""
        w, mine = unit(w), place >= 0
        # each rank puts in the photos' classes that it owns; all then compare them with their own weights
        own = total(torch.where(mine[:, None], own_rows(w, place), 0))
        cosine = own @ w.T
        if self.angle:
            pair = -torch.arccos(cosine.clamp(-1 + _INSIDE, 1 - _INSIDE)) / torch.pi
        else:
            squared = (2 - 2 * cosine).clamp(min=2 * _INSIDE)
            pair = -squared.log() / 2 if self.power == 0 else squared ** (-self.power / 2)
        itself = torch.arange(len(w), device=w.device) == place[:, None]
        others = sum_over_ranks(torch.tensor(len(w), device=w.device)) - 1
        return self.weight * pair.masked_fill(itself, 0).sum() / (len(place) * others.clamp(min=1))


@dataclass(frozen=True)
class Centre:
    """weight / 2 times the mean of |x - c_y|^2 (Wen et al., "A Discriminative Feature Learning Approach for Deep Face
    Recognition", ECCV 2016, section 3.2, equations 2 to 4); weight and rate (lambda and alpha) as in its section 4.
    """

    weight: float = 0.003
    rate: float = 0.5


class Centres(nn.Module):
    """Each class's centre [classes here, d], moved by the paper's own rule and not by an optimizer.

    After an update c_j moves by -rate sum(c_j - x_i) / (1 + n_j) over the n_j photos of class j that were in it.
    """

    at: Tensor

    def __init__(self, term: Centre, classes: int, dim: int) -> None:
        super().__init__()
        self.term, self.classes = term, classes
        self.mine = deal(classes, rank=rank(), world=world_size())
        self.register_buffer("at", torch.zeros(self.mine.stop - self.mine.start, dim))
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """This rank's share of the loss of all ranks' x [n, d]: the photos whose class label [n] it owns."""
        own = (label >= self.mine.start) & (label < self.mine.stop)
        at = (label - self.mine.start).clamp(0, len(self.at) - 1)
        if self.training:
            self.seen.append((torch.where(own, at, -1), x.detach()))
        squared = (x - self.at[at]).square().sum(1)
        return self.term.weight / 2 * torch.where(own, squared, 0).sum() / len(x)

    @torch.no_grad()
    def end(self) -> None:
        """Move the centres by the photos since the last time."""
        if not self.seen:
            return
        at, x = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        at, x = at[at >= 0], x[at >= 0]
        apart = torch.zeros_like(self.at).index_add_(0, at, self.at[at] - x.to(self.at.dtype))
        count = torch.bincount(at, minlength=len(self.at))[:, None]
        self.at -= self.term.rate * apart / (1 + count)
        self.seen.clear()

    def whole_state(self) -> dict[str, Tensor]:
        """On rank 0 all centres [classes, d] as "centre"; empty elsewhere. All ranks call it."""
        rows = whole(self.at, self.classes)
        return {} if rows is None else {"centre": rows}

    def load_whole_state(self, state: Mapping[str, Tensor]) -> None:
        """Take this rank's centres of what whole_state gave. Raises UserError where there are none, or others."""
        shape = (self.classes, self.at.shape[1])
        if "centre" not in state or state["centre"].shape != shape:
            raise UserError(f"the checkpoint has no class centres {shape}: was it another loss, or other data?")
        self.at.copy_(state["centre"][self.mine])
