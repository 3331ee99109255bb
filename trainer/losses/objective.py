"""The objective: the loss that a training minimises, with the classifier and the class centres that it needs.

It is not wrapped in DistributedDataParallel (DDP), because its parameters are spread over ranks and get their exact
gradient. The gradient of the features is multiplied by the number of ranks, because DDP divides the backbone's gradient
by that number.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.partial_fc import PartialFC
from trainer.distributed.ranks import gather, rank, sum_as_loss, world_size
from trainer.losses.cross_entropy import cross_entropy
from trainer.losses.heads import CombinedMargin, Head, Linear, NormMargin, PiecewiseMargin, compute_logits, weight_shape
from trainer.losses.names import LossParts, parse_loss
from trainer.losses.terms import Centres, Inter
from trainer.losses.triplet import Triplet

# the losses that `refinery benchmark losses` compares: every head, and each term with a head that it can be added to
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
    "magface",
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
    """The objective of the loss with this name (see names.py), for `classes` classes and features of length dim.

    sample_rate, update: see PartialFC. filter_cosine: a photo is not compared with other classes whose cosine to it is
    above this value, because they are probably the same person under another label ("conflicting classes" in CVPR 2022,
    arXiv 2203.15565, section 3; the published code sets their logit to 0, here they are left out of the sum); 1: a
    photo is compared with all classes. Raises UserError for a name or settings that are not valid.
    """
    if not 0 < filter_cosine <= 1:
        raise UserError(f"filter_cosine {filter_cosine}: expected more than 0, at most 1")
    parts = parse_loss(loss)
    if classes < world_size():
        raise UserError(f"{classes} classes cannot be spread over {world_size()} ranks: train with fewer ranks")
    is_filtered = filter_cosine < 1
    if is_filtered and not _compares_cosines(parts.head):
        raise UserError(f"filter_cosine {filter_cosine}: {loss} compares no cosines, so it cannot filter by them")
    fc = None
    if not isinstance(parts.head, Triplet):
        fc = PartialFC(classes, weight_shape(parts.head, dim), sample_rate=sample_rate, update=update, seed=seed)
    centres = Centres(parts.centre, classes, dim) if parts.centre else None
    return Objective(parts, fc, centres, filter_cosine=filter_cosine if is_filtered else None)


class Objective(nn.Module):
    """A loss with its classifier (fc) and class centres.

    The calls of an update, in this order: begin_update, then forward and backward for each micro-batch, the optimizer's
    step, end_update.
    """

    def __init__(
        self, parts: LossParts, fc: PartialFC | None, centres: Centres | None, *, filter_cosine: float | None
    ) -> None:
        super().__init__()
        self.parts, self.fc, self.centres, self.filter_cosine = parts, fc, centres, filter_cosine
        self.step = 0

    def begin_update(self, labels: Tensor, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Prepare the update of this number; labels [batch]: of all ranks' photos, in CPU memory."""
        self.step = step
        if self.fc:
            self.fc.begin_update(labels, step, optimizer)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """The mean loss over all ranks' features [n, dim] and labels [n] in 0..classes-1; n is equal on all ranks."""
        with torch.autocast(x.device.type, enabled=False):
            x = gather(x if x.dtype == torch.float64 else x.float())
            label = gather(label)
            head = self.parts.head
            loss = sum_as_loss(head(x, label)) if isinstance(head, Triplet) else self._softmax(head, x, label)
            return loss + sum_as_loss(self.centres(x, label)) if self.centres else loss

    def end_update(self, optimizer: torch.optim.Optimizer) -> None:
        """End an update: copy sampled rows back to the classifier, and move the class centres."""
        if self.fc:
            self.fc.end_update(optimizer)
        if self.centres:
            self.centres.end_update()

    def whole_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """The weights, their optimizer state and the centres of all ranks, for a checkpoint.

        All ranks call this; the dict is empty on all ranks but rank 0.
        """
        return (self.fc.whole_state(optimizer) if self.fc else {}) | (
            self.centres.whole_state() if self.centres else {}
        )

    def load_whole_state(self, state: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Load this rank's part of the whole_state() that rank 0 has, which any number of ranks may have written.

        All ranks call this. Raises UserError when its weights or centres have another shape.
        """
        if self.fc:
            self.fc.load_whole_state(state, optimizer)
        if self.centres:
            self.centres.load_whole_state(state)

    def _softmax(self, head: Head, x: Tensor, label: Tensor) -> Tensor:
        fc = cast("PartialFC", self.fc)  # every loss but the triplet losses has a classifier
        w, column = fc.rows_in_use(), fc.columns_of(label)
        z, margin, at_cosine_1 = compute_logits(head, x, w, column, step=self.step)
        ceiling = None if self.filter_cosine is None or at_cosine_1 is None else self.filter_cosine * at_cosine_1
        losses = cross_entropy(z, column, margin, ceiling)
        for weighting in (self.parts.focal, self.parts.ohem):
            losses = weighting(losses) if weighting else losses
        loss = losses.mean()
        if isinstance(head, NormMargin):  # each rank adds the share of its own photos
            photos = len(x) // world_size()
            share = head.regulariser(x[rank() * photos : (rank() + 1) * photos]).sum() / len(x)
            loss = loss + sum_as_loss(share)
        directions = w[:, :-1] if isinstance(head, Linear) else w
        for term in self.parts.added:
            share = term(directions, column) if isinstance(term, Inter) else term(x, directions, column)
            loss = loss + sum_as_loss(share)
        return loss


def _compares_cosines(head: Head | Triplet) -> bool:
    """Whether the head's logits are cosines to class weights of norm 1, times a number of the photo."""
    return isinstance(head, CombinedMargin | NormMargin) or (
        isinstance(head, PiecewiseMargin) and not head.keep_weights
    )
