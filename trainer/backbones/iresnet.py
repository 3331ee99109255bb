"""IResNet: the residual network of ArcFace, for faces of 112x112.

ArcFace (arXiv 1801.07698), section 3.1, and its published code, arcface_torch: the stem keeps the full resolution, each
block is BN-Conv-BN-PReLU-Conv-BN with the stride in its second convolution, and the head is BN-Dropout-FC-BN. Published
sizes: ResNet50 has 43.6M parameters and 6.3G multiply-adds, ResNet100 65.2M and 12.1G. With squeeze-and-excitation at
the end of each residual branch (Hu et al., arXiv 1709.01507, section 3) it is the IR-SE of AdaFace's published code
(net.py) and others.
"""

from torch import Tensor, nn

from trainer.backbones.backbone import Backbone, Head, halved_side

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 200: (6, 26, 60, 6)}
WIDTHS = (64, 128, 256, 512)
EPS = 1e-5
SQUEEZE = 16  # the factor by which squeeze-and-excitation reduces the channels between its two layers
INITIAL_SD = 0.1  # standard deviation of the convolutions' initial weights, as in arcface_torch


class Block(nn.Module):
    """x + BN-Conv-BN-PReLU-Conv-BN(x); the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, excite: bool = False) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(inputs, EPS),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs, EPS),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs, EPS),
            *([Excitation(outputs)] if excite else []),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs, EPS)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, s, s] -> [n, c', s', s'], half the side where the stride is 2."""
        y: Tensor = self.residual(x) + self.shortcut(x)
        return y


class Excitation(nn.Module):
    """Squeeze-and-excitation: multiplies each channel by a weight from 0 to 1 that depends on all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // SQUEEZE, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // SQUEEZE, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, s, s] -> the same shape."""
        means = x.mean((2, 3), keepdim=True)
        y: Tensor = x * self.fc2(self.fc1(means).relu()).sigmoid()
        return y


def iresnet(depth: int, *, embedding: int, channels: int, size: int, dropout: float, excite: bool = False) -> Backbone:
    """IResNet of depth 18, 34, 50, 100 or 200 for faces [channels, size, size]; excite: IR-SE."""
    blocks: list[nn.Module] = [
        nn.Sequential(nn.Conv2d(channels, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64, EPS), nn.PReLU(64))
    ]
    inputs = 64
    for width, count in zip(WIDTHS, BLOCKS[depth], strict=True):
        for i in range(count):
            blocks.append(Block(inputs, width, stride=1 if i else 2, excite=excite))
            inputs = width
    net = Backbone(blocks, Head(inputs, halved_side(size, 4), embedding, dropout))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, INITIAL_SD)
    return net
