"""The 20-layer network of SphereFace and AM-Softmax: residual, PReLU, and no batch norm at all.

SphereFace (arXiv 1704.08063), table 2, and the prototxt published with AM-Softmax (arXiv 1801.05599, section 4.1):
strided convolutions have a bias and Xavier's first weights, residual ones have none and start at a standard deviation
of .01. The published network is for faces of 112x96; here the face is square. Dropout is an addition; 0 leaves it out.
"""

from torch import Tensor, nn

from trainer.backbones.backbone import Backbone, halved_side

ROWS = ((64, 1), (128, 2), (256, 4), (512, 1))  # width, residual pairs: 4 strided + 16 others = 20 convolutions
INITIAL_SD = 0.01  # standard deviation of the residual convolutions' first weights


class Pair(nn.Module):
    """x plus two convolutions of it, each with a PReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(2)]
        for convolution in convolutions:
            nn.init.normal_(convolution.weight, 0, INITIAL_SD)
        self.residual = nn.Sequential(convolutions[0], nn.PReLU(width), convolutions[1], nn.PReLU(width))

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, s, s] -> the same."""
        y: Tensor = x + self.residual(x)
        return y


def sphere20(*, embedding: int, channels: int, size: int, dropout: float) -> Backbone:
    """The 20-layer network for faces [channels, size, size]."""
    blocks: list[nn.Module] = []
    inputs = channels
    for width, pairs in ROWS:
        strided = nn.Conv2d(inputs, width, 3, 2, 1)
        _xavier(strided)
        blocks += [nn.Sequential(strided, nn.PReLU(width)), *(Pair(width) for _ in range(pairs))]
        inputs = width
    fc = nn.Linear(inputs * halved_side(size, 4) ** 2, embedding)
    _xavier(fc)
    return Backbone(blocks, nn.Sequential(nn.Flatten(), nn.Dropout(dropout), fc))


def _xavier(layer: nn.Conv2d | nn.Linear) -> None:
    """Caffe's xavier filler, which takes the variance from the inputs alone: uniform in +-sqrt(3 / inputs)."""
    bound = (3 / (layer.weight[0].numel())) ** 0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
