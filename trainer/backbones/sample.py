"""The sample world's network: tells drawn people apart after a minute of training on a CPU.

One convolution of 7x7 brings the face to a quarter of its side, because a CPU's time goes into large maps; all are
dense, because training a depthwise one costs as much as a dense one there. A batch norm follows each, so that a
learning rate large enough for a minute's training does not upset it.
"""

from torch import Tensor, nn

from trainer.backbones.staged import Head, Staged, halved

STEM = 32
WIDTHS = (48, 96)  # at an eighth and a sixteenth of the side
LEAVES = 32  # channels that the head's one large matrix sees


class Block(nn.Module):
    """PReLU(x + Conv-BN-PReLU-Conv-BN(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_conv(width, width, 3), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )
        self.prelu = nn.PReLU(width)

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, s, s] -> the same."""
        found: Tensor = self.prelu(x + self.residual(x))
        return found


def sample(*, embedding: int, channels: int, size: int, dropout: float) -> Staged:
    """The small network for faces [channels, size, size]."""
    blocks: list[nn.Module] = [nn.Sequential(*_conv(channels, STEM, 7, stride=4))]
    before = STEM
    for width in WIDTHS:
        blocks += [nn.Sequential(*_conv(before, width, 3, stride=2)), Block(width)]
        before = width
    blocks.append(nn.Sequential(*_conv(before, LEAVES, 1)))
    return Staged(blocks, Head(LEAVES, halved(size, 4), embedding, dropout))


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.PReLU(outputs),
    ]
