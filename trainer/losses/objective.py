"""The objective: the loss that a training minimises, by its name, with the classifier and centres that belong to it.

It is not wrapped in DistributedDataParallel: its parameters are spread over ranks and get their exact gradient. The
gradient of the features is multiplied by the number of ranks, because DDP averages the backbone's over ranks.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.partial_fc import PartialFC
from trainer.distributed.ranks import gather, sum_as_loss, world_size
from trainer.losses.cross_entropy import cross_entropy
from trainer.losses.heads import CombinedMargin, Head, Linear, PiecewiseMargin, compute_logits, weight_shape
from trainer.losses.names import LossParts, parse_loss
from trainer.losses.terms import Centres, Inter
from trainer.losses.triplet import Triplet

# the rows of the table that compares losses: every head, and each term on a head that it fits
LOSSES = (
    "softmax",
    "norm_softmax",
    "norm_softmax_20",
    "arcface",
    "cosface",
    "amsoftmax",
    "sphereface",
    "cm1",
    "cm2",
    "a_softmax",
    "l_softmax",
    "subcenter",
    "triplet",
    "triplet_euclidean",
    "softmax+centre",
    "norm_softmax+intra",
    "norm_softmax+inter",
    "norm_softmax+inter_angle",
    "arcface+focal",
    "arcface+ohem",
)


def make_objective(
    loss: str,
    *,
    classes: int,
    dim: int,
    sample_rate: float = 1.0,
    update: str = "sparse",
    filter_cosine: float = 1.0,
    seed: int = 0,
) -> "Objective":
    """The objective of that name (see names) for so many classes and features of length dim.

    sample_rate, update: see PartialFC. filter_cosine: a photo is not compared with other classes above this cosine,
    which are probably the same person under another label (conflicting classes: CVPR 2022, arXiv 2203.15565, section 3;
    its published code makes their logit 0, here they are left out of the sum); 1 compares with all. Raises UserError
    for a name or settings that do not fit.
    """
    parts = parse_loss(loss)
    if classes < world_size():
        raise UserError(f"{classes} classes cannot be spread over {world_size()} ranks: train with fewer ranks")
    filtering = filter_cosine < 1
    if filtering and not _on_cosines(parts.head):
        raise UserError(f"filter_cosine {filter_cosine}: {loss} compares no cosines with class weights of norm 1")
    fc = None
    if not isinstance(parts.head, Triplet):
        fc = PartialFC(classes, weight_shape(parts.head, dim), sample_rate=sample_rate, update=update, seed=seed)
    centres = Centres(parts.centre, classes, dim) if parts.centre else None
    return Objective(parts, fc, centres, filter_cosine=filter_cosine if filtering else None)


class Objective(nn.Module):
    """An update: begin_update, forward and backward of each micro-batch, the optimizer's step, then end_update."""

    def __init__(
        self, parts: LossParts, fc: PartialFC | None, centres: Centres | None, *, filter_cosine: float | None
    ) -> None:
        super().__init__()
        self.parts, self.fc, self.centres, self.filter_cosine = parts, fc, centres, filter_cosine
        self.step = 0

    def begin_update(self, label: Tensor, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Before the first forward of an update: label [n] of all of this rank's micro-batches, the update's number."""
        self.step = step
        if self.fc:
            self.fc.begin_update(label, step, optimizer)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """The mean loss over all ranks' features [n, dim] and labels [n] in 0..classes-1; n is equal on all ranks."""
        with torch.autocast(x.device.type, enabled=False):
            x = gather(x if x.dtype == torch.float64 else x.float())
            label = gather(label)
            head = self.parts.head
            loss = sum_as_loss(head(x, label)) if isinstance(head, Triplet) else self._softmax(head, x, label)
            return loss + sum_as_loss(self.centres(x, label)) if self.centres else loss

    def end_update(self, optimizer: torch.optim.Optimizer) -> None:
        """After the optimizer's step: write sampled rows back, move the centres."""
        if self.fc:
            self.fc.end_update(optimizer)
        if self.centres:
            self.centres.end_update()

    def whole_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """On rank 0 all ranks' weights, their optimizer state and centres, for a checkpoint; all ranks call it."""
        return (self.fc.whole_state(optimizer) if self.fc else {}) | (
            self.centres.whole_state() if self.centres else {}
        )

    def load_whole_state(self, state: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Take this rank's part of a whole_state(), whatever the number of ranks then. UserError for another shape."""
        if self.fc:
            self.fc.load_whole_state(state, optimizer)
        if self.centres:
            self.centres.load_whole_state(state)

    def _softmax(self, head: Head, x: Tensor, label: Tensor) -> Tensor:
        fc = cast("PartialFC", self.fc)  # every head but a triplet's has one
        w, column = fc.active(), fc.columns(label)
        z, margin, at_cosine_1 = compute_logits(head, x, w, column, step=self.step)
        ceiling = None if self.filter_cosine is None or at_cosine_1 is None else self.filter_cosine * at_cosine_1
        losses = cross_entropy(z, column, margin, ceiling)
        for weighting in (self.parts.focal, self.parts.ohem):
            losses = weighting(losses) if weighting else losses
        loss = losses.mean()
        directions = w[:, :-1] if isinstance(head, Linear) else w
        for term in self.parts.added:
            share = term(directions, column) if isinstance(term, Inter) else term(x, directions, column)
            loss = loss + sum_as_loss(share)
        return loss


def _on_cosines(head: Head | Triplet) -> bool:
    return isinstance(head, CombinedMargin) or (isinstance(head, PiecewiseMargin) and not head.keep_weights)
