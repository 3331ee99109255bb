"""The objective: what a training lowers, named in one word or a sum of words, with all the weights that belong to it.

It is not wrapped in DistributedDataParallel. Its own parameters are dealt over ranks and get their exact gradient;
features get theirs times the number of ranks, so that the average DDP takes over the backbone's gradients is right.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer.distributed.partial_fc import PartialFC
from trainer.distributed.ranks import gather, sum_of_shares, world_size
from trainer.losses.cross_entropy import cross_entropy
from trainer.losses.heads import Combined, Head, Piecewise, Plain, logits, row
from trainer.losses.names import Named, named
from trainer.losses.terms import Centres, Inter
from trainer.losses.triplet import Triplet

# what a table of losses has a row for: every head, and each term on a head it fits
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


def objective(
    loss: str,
    *,
    classes: int,
    dim: int,
    sample_rate: float = 1.0,
    update: str = "sparse",
    filter_cosine: float = 1.0,
    seed: int = 0,
) -> "Objective":
    """The objective of that name (see loss_names) for so many classes and features of length dim.

    sample_rate, update: see PartialFC. Negatives above filter_cosine are left out as probably the same person under
    another name (conflicting classes: CVPR 2022, arXiv 2203.15565, section 3; its published code makes their logit 0,
    here they count nothing at all); 1 leaves none out. Raises UserError.
    """
    parsed = named(loss)
    if classes < world_size():
        raise UserError(f"{classes} classes cannot be dealt over {world_size()} ranks: train with fewer ranks")
    filtering = filter_cosine < 1
    if filtering and not _on_cosines(parsed.head):
        raise UserError(f"filter_cosine {filter_cosine}: {loss} compares no cosines with class weights of norm 1")
    fc = None
    if not isinstance(parsed.head, Triplet):
        fc = PartialFC(classes, row(parsed.head, dim), sample_rate=sample_rate, update=update, seed=seed)
    centres = Centres(parsed.centre, classes, dim) if parsed.centre else None
    return Objective(parsed, fc, centres, filter_cosine=filter_cosine if filtering else None)


class Objective(nn.Module):
    """Call begin, then forward for each micro-batch with its backward pass, the optimizer's step, then end."""

    def __init__(
        self, parsed: Named, fc: PartialFC | None, centres: Centres | None, *, filter_cosine: float | None
    ) -> None:
        super().__init__()
        self.parsed, self.fc, self.centres, self.filter_cosine = parsed, fc, centres, filter_cosine
        self.step = 0

    def begin(self, label: Tensor, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Once an update, before its first forward: all labels [n] of this rank's micro-batches, and which update."""
        self.step = step
        if self.fc:
            self.fc.begin(label, step, optimizer)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """The mean loss over all ranks' features [n, dim] and labels [n] in 0..classes-1; n is equal on all ranks."""
        with torch.autocast(x.device.type, enabled=False):
            x = gather(x if x.dtype == torch.float64 else x.float())
            label = gather(label)
            head = self.parsed.head
            loss = sum_of_shares(head(x, label)) if isinstance(head, Triplet) else self._softmax(head, x, label)
            return loss + sum_of_shares(self.centres(x, label)) if self.centres else loss

    def end(self, optimizer: torch.optim.Optimizer) -> None:
        """Once an update, after the optimizer's step: sampled rows go back, centres move."""
        if self.fc:
            self.fc.end(optimizer)
        if self.centres:
            self.centres.end()

    def whole_state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """On rank 0 all ranks' weights, their optimizer state and centres, for a checkpoint; all ranks call it."""
        return (self.fc.whole_state(optimizer) if self.fc else {}) | (
            self.centres.whole_state() if self.centres else {}
        )

    def load_whole_state(self, state: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Take this rank's part of what whole_state gave on rank 0, on any number of ranks. Raises UserError."""
        if self.fc:
            self.fc.load_whole_state(state, optimizer)
        if self.centres:
            self.centres.load_whole_state(state)

    def _softmax(self, head: Head, x: Tensor, label: Tensor) -> Tensor:
        fc = cast("PartialFC", self.fc)  # which every head that is a softmax has
        w, place = fc.active(), fc.place(label)
        z, margin, reach = logits(head, x, w, place, step=self.step)
        ceiling = None if self.filter_cosine is None or reach is None else self.filter_cosine * reach
        each = cross_entropy(z, place, margin, ceiling)
        for reshape in (self.parsed.focal, self.parsed.ohem):
            each = reshape(each) if reshape else each
        loss = each.mean()
        features = w[:, :-1] if isinstance(head, Plain) else w
        for term in self.parsed.added:
            share = term(features, place) if isinstance(term, Inter) else term(x, features, place)
            loss = loss + sum_of_shares(share)
        return loss


def _on_cosines(head: Head | Triplet) -> bool:
    return isinstance(head, Combined) or (isinstance(head, Piecewise) and not head.keep_weights)
