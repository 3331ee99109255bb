"""The form of every backbone: a sequence of blocks, then a head, with optional gradient checkpointing of each block.

With gradient checkpointing (`recompute`) only a block's input is kept in memory, and the backward pass computes the
block a second time. The block's batch norms do not count the batch a second time, so the trained network is the same
as without `recompute`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class Backbone(nn.Module):
    """Blocks, each [n, c, s, s] -> [n, c', s', s'], and a head [n, c', s', s'] -> [n, embedding]."""

    def __init__(self, blocks: list[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.head = head
        self.recompute = False  # gradient checkpointing while training: less memory, about a third more time

    def forward(self, x: Tensor) -> Tensor:
        """Faces [n, channels, size, size] -> features [n, embedding], not normalised."""
        for block in self.blocks:
            x = self.run_block(block, x)
        features: Tensor = self.head(x)
        return features

    def run_block(self, block: nn.Module, x: Tensor) -> Tensor:
        """A block's output, with gradient checkpointing where it is asked for."""
        y: Tensor = _recomputed(block, x) if self.recompute and self.training else block(x)
        return y


class Head(nn.Module):
    """BN-Dropout-FC-BN, the "E" output of ArcFace (arXiv 1801.07698, section 3.1), in float32 also under autocast.

    bf16 has 8 bits of mantissa, too few for embeddings whose cosines are compared to three digits. The scale of the
    last batch norm is fixed at 1, as in arcface_torch, because the losses normalise the features.
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


class Float32Sequential(nn.Sequential):
    """A head of several layers that computes in float32 also under autocast, as Head does."""

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, side, side] -> [n, embedding], in the precision of the weights."""
        with torch.autocast(x.device.type, enabled=False):
            features: Tensor = super().forward(x.to(next(self.parameters()).dtype))  # type: ignore[no-untyped-call]
            return features


def halved_side(side: int, times: int) -> int:
    """The side in pixels after this many convolutions of stride 2 and padding 1; each halves it and rounds up."""
    return -(-side // (1 << times))


def _recomputed(block: nn.Module, x: Tensor) -> Tensor:
    """The block's output; the backward pass computes the block again instead of keeping its intermediate values."""
    if torch.compiler.is_compiling():  # the compiler repeats no side effects, so batch norms count the batch once
        return checkpoint(block, x, use_reentrant=False)  # type: ignore[no-any-return]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _frozen_running_statistics(block)

    return checkpoint(block, x, use_reentrant=False, context_fn=contexts)  # type: ignore[no-any-return]


@contextmanager
def _frozen_running_statistics(block: nn.Module) -> Iterator[None]:
    """Inside the with block, the batch norms normalise by the batch and do not change their running statistics.

    Momentum 0 is used for this, and not a norm without running statistics, because torch requires that the second
    computation saves the same tensors for the backward pass as the first.
    """
    norms = [m for m in block.modules() if isinstance(m, _BatchNorm)]
    settings = [(m.momentum, m.num_batches_tracked) for m in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, tracked) in zip(norms, settings, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, tracked
