"""The network for the drawn sample world: it learns to distinguish drawn people in a minute on a CPU.

Its first convolution, of 7x7, reduces the face to a quarter of its side, because large feature maps take most of the
time on a CPU. It has no depthwise convolutions, because in training they take as much time on a CPU as dense ones. A
batch norm follows each convolution, so that training is stable at the high learning rate that so short a training
needs.
"""

from torch import Tensor, nn

from trainer.backbones.backbone import Backbone, Head, halved_side

STEM = 32
WIDTHS = (48, 96)  # at an eighth and a sixteenth of the side
HEAD_CHANNELS = 32  # channels of the feature map before the head, whose fully connected layer has most parameters


class Block(nn.Module):
    """PReLU(x + Conv-BN-PReLU-Conv-BN(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_conv(width, width, 3), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )
        self.prelu = nn.PReLU(width)

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, s, s] -> the same shape."""
        y: Tensor = self.prelu(x + self.residual(x))
        return y


def sample(*, embedding: int, channels: int, size: int, dropout: float) -> Backbone:
    """The sample world's network for faces [channels, size, size]."""
    blocks: list[nn.Module] = [nn.Sequential(*_conv(channels, STEM, 7, stride=4))]
    inputs = STEM
    for width in WIDTHS:
        blocks += [nn.Sequential(*_conv(inputs, width, 3, stride=2)), Block(width)]
        inputs = width
    blocks.append(nn.Sequential(*_conv(inputs, HEAD_CHANNELS, 1)))
    return Backbone(blocks, Head(HEAD_CHANNELS, halved_side(size, 4), embedding, dropout))


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.PReLU(outputs),
    ]
