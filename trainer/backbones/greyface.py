"""The small residual network of widely used ArcFace code in PyTorch: 18 layers, for grey faces of 128x128.

Its block is BN-Conv-BN-PReLU-Conv-BN with the stride in the second convolution, as in IResNet. An optional
squeeze-and-excitation (Hu et al., arXiv 1709.01507, section 3) follows, and after the shortcut is added the same PReLU
is applied again. The stem ends in a max pooling to half the side; the head is BN-Dropout-FC-BN. The network also takes
faces of other sizes, and in RGB.
"""

from torch import Tensor, nn

from trainer.backbones.backbone import Backbone, Head, halved_side

WIDTHS = (64, 128, 256, 512)
SQUEEZE = 16  # the factor by which squeeze-and-excitation reduces the channels between its two layers


class Block(nn.Module):
    """PReLU(x + BN-Conv-BN-PReLU-Conv-BN(x)); both PReLUs are the same module, with one slope for all channels."""

    def __init__(self, inputs: int, outputs: int, stride: int, excite: bool) -> None:
        super().__init__()
        self.prelu = nn.PReLU()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, inputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(inputs),
            self.prelu,
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            Excitation(outputs) if excite else nn.Identity(),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, s, s] -> [n, c', s', s'], half the side where the stride is 2."""
        y: Tensor = self.prelu(self.residual(x) + self.shortcut(x))
        return y


class Excitation(nn.Module):
    """Squeeze-and-excitation: multiplies each channel by a weight from 0 to 1 that depends on all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(  # gives the weights [n, c, 1, 1]; the name is part of the keys in checkpoints
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // SQUEEZE, 1),
            nn.PReLU(),
            nn.Conv2d(channels // SQUEEZE, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, s, s] -> the same shape."""
        y: Tensor = x * self.weigh(x)
        return y


def greyface(*, embedding: int, channels: int, size: int, dropout: float, excite: bool = False) -> Backbone:
    """The network for faces [channels, size, size]; excite adds squeeze-and-excitation."""
    blocks: list[nn.Module] = [
        nn.Sequential(nn.Conv2d(channels, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(), nn.MaxPool2d(2, 2))
    ]
    inputs = 64
    for width in WIDTHS:
        blocks += [Block(inputs, width, 1 if width == 64 else 2, excite), Block(width, width, 1, excite)]
        inputs = width
    net = Backbone(blocks, Head(inputs, halved_side(size // 2, 3), embedding, dropout))
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net
