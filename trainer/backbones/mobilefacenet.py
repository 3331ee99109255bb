"""MobileFaceNet: a network of a million parameters, for phones and CPUs, and a wider one of two millions.

Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile Devices" (arXiv
1804.07573), table 1: inverted residuals with PReLU. Instead of average pooling it has a depthwise convolution as large
as the feature map, with a weight for each position in the face. With an embedding of length 128 it has 0.99M parameters
and 221M multiply-adds. The paper has no dropout; here it can be added before the last layer.

`mobilefacenet_large` is `mbf` of insightface's arcface_torch (backbones/mobilefacenet.py): wider, with narrower
bottlenecks, a stem that mixes two channels at a time, and a fully connected last layer. Figures published for "MBF"
are this network's, not those of the paper's. (arcface_torch's own `mbf_large` is a third network, which is not here.)
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
LARGE_ROWS = (
    (1, 128, 5, 2),
    (2, 256, 1, 2),
    (1, 256, 6, 1),
    (2, 256, 1, 2),
    (1, 256, 2, 1),
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
    blocks = _blocks(channels, 64, ROWS)
    blocks.append(nn.Sequential(*_conv(128, 512, 1)))
    side = halved_side(size, 4)
    head = Float32Sequential(
        *_conv(512, 512, side, groups=512, linear=True),
        nn.Dropout(dropout),
        *_conv(512, embedding, 1, linear=True),
        nn.Flatten(),
    )
    return Backbone(blocks, head)


def mobilefacenet_large(*, embedding: int, channels: int, size: int, dropout: float) -> Backbone:
    """arcface_torch's mbf for faces [channels, size, size]; its layers from the 512 channels on stay in float32."""
    head = Float32Sequential(
        *_conv(256, 512, 1),
        *_conv(512, 512, halved_side(size, 4), groups=512, linear=True),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(512, embedding, bias=False),
        nn.BatchNorm1d(embedding),
    )
    net = Backbone(_blocks(channels, 128, LARGE_ROWS), head)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


def _blocks(channels: int, width: int, rows: tuple[tuple[int, int, int, int], ...]) -> list[nn.Module]:
    """The stem, to half the side and this width, in 64 groups, and the bottlenecks."""
    blocks: list[nn.Module] = [
        nn.Sequential(*_conv(channels, width, 3, stride=2, padding=1), *_conv(width, width, 3, padding=1, groups=64))
    ]
    inputs = width
    for expansion, outputs, count, stride in rows:
        for i in range(count):
            blocks.append(Bottleneck(inputs, outputs, 1 if i else stride, expansion))
            inputs = outputs
    return blocks


def _conv(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0, groups: int = 1, linear: bool = False
) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return layers if linear else [*layers, nn.PReLU(outputs)]
