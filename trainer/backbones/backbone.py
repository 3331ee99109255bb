"""A backbone: blocks one after the other, then a head; with gradient checkpointing block by block.

With `recompute` only a block's input is kept for the backward pass, and the block is computed a second time. Its batch
norms must not count the batch twice, so a network trained with `recompute` ends in the same state as one without.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class Backbone(nn.Module):
    """Blocks [n, c, s, s] -> [n, c', s', s'] and a head [n, c', s', s'] -> [n, embedding]."""

    def __init__(self, blocks: list[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.head = head
        self.recompute = False  # gradient checkpointing while training: less memory, about a third more time

    def forward(self, x: Tensor) -> Tensor:
        """Faces [n, channels, size, size] -> features [n, embedding], not normalised."""
        for block in self.blocks:
            x = _recomputed(block, x) if self.recompute and self.training else block(x)
        features: Tensor = self.head(x)
        return features


class Head(nn.Module):
    """BN-Dropout-FC-BN, the "E" output of ArcFace (arXiv 1801.07698, section 3.1), in float32 also under autocast.

    bf16 has 8 bits of mantissa: too few for embeddings whose cosines are compared to three digits. The last norm's
    scale is fixed at 1, as in arcface_torch: the losses normalise the features anyway.
    """

    def __init__(self, channels: int, side: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels * side * side, embedding)
        self.features = nn.BatchNorm1d(embedding)
        self.features.weight.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, side, side] -> [n, embedding], in the precision of the weights."""
        with torch.autocast(x.device.type, enabled=False):
            x = self.dropout(self.norm(x.to(self.fc.weight.dtype))).flatten(1)
            features: Tensor = self.features(self.fc(x))
            return features


def halved_side(side: int, times: int) -> int:
    """The side in pixels after this many convolutions of stride 2 and padding 1, each of which rounds up."""
    return -(-side // (1 << times))


def _recomputed(block: nn.Module, x: Tensor) -> Tensor:
    """The block's output; the backward pass computes the block again instead of keeping its inner values."""
    if torch.compiler.is_compiling():  # the compiler repeats only what has no side effects, so norms count once
        return checkpoint(block, x, use_reentrant=False)  # type: ignore[no-any-return]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _without_counting(block)

    return checkpoint(block, x, use_reentrant=False, context_fn=contexts)  # type: ignore[no-any-return]


@contextmanager
def _without_counting(block: nn.Module) -> Iterator[None]:
    """While this lasts, the block's batch norms use the batch's statistics and leave the running ones unchanged.

    The running ones are still passed through the computation: what it saves must match what the first pass saved.
    """
    norms = [m for m in block.modules() if isinstance(m, _BatchNorm)]
    before = [(m.momentum, m.num_batches_tracked) for m in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, tracked) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, tracked
