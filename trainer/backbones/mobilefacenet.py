"""MobileFaceNet: a network of a million parameters, for phones and CPUs.

Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile Devices" (arXiv
1804.07573), table 1: inverted residuals with PReLU. Instead of average pooling it has a depthwise convolution as large
as the feature map, with a weight for each position in the face. With an embedding of length 128 it has 0.99M parameters
and 221M multiply-adds. The paper has no dropout; here it can be added before the last layer.
"""

from torch import Tensor, nn

from trainer.backbones.backbone import Backbone, Float32Sequential, halved_side

# expansion, width, count, stride
ROWS = (
    (2, 64, 5, 2),
    (4, 128, 1, 2),
    (2, 128, 6, 1),
    (4, 128, 1, 2),
    (2, 128, 2, 1),
)


class Bottleneck(nn.Module):
    """A 1x1 convolution that widens, a 3x3 per channel, and a 1x1 that narrows, without an activation.

    The input x is added when input and output have the same shape.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.residual = nn.Sequential(
            *_conv(inputs, wide, 1),
            *_conv(wide, wide, 3, stride=stride, padding=1, groups=wide),
            *_conv(wide, outputs, 1, linear=True),
        )
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, s, s] -> [n, c', s', s'], half the side where the stride is 2."""
        y: Tensor = self.residual(x)
        return x + y if self.adds_input else y


def mobilefacenet(*, embedding: int, channels: int, size: int, dropout: float) -> Backbone:
    """MobileFaceNet for faces [channels, size, size]."""
    blocks: list[nn.Module] = [
        nn.Sequential(*_conv(channels, 64, 3, stride=2, padding=1), *_conv(64, 64, 3, padding=1, groups=64))
    ]
    inputs = 64
    for expansion, width, count, stride in ROWS:
        for i in range(count):
            blocks.append(Bottleneck(inputs, width, 1 if i else stride, expansion))
            inputs = width
    side = halved_side(size, 4)
    blocks.append(nn.Sequential(*_conv(inputs, 512, 1)))
    head = Float32Sequential(
        *_conv(512, 512, side, groups=512, linear=True),
        nn.Dropout(dropout),
        *_conv(512, embedding, 1, linear=True),
        nn.Flatten(),
    )
    return Backbone(blocks, head)


def _conv(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0, groups: int = 1, linear: bool = False
) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return layers if linear else [*layers, nn.PReLU(outputs)]
