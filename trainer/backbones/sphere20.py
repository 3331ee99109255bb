"""The 20-layer residual network of SphereFace and AM-Softmax, with PReLU and without batch norm.

SphereFace (arXiv 1704.08063), table 2, and the prototxt published with AM-Softmax (arXiv 1801.05599, section 4.1):
strided convolutions have a bias and Xavier initial weights; residual ones have no bias, and initial weights of standard
deviation .01. The published network takes faces of 112x96; here faces are square. The papers have no dropout; here it
can be added before the last layer.
"""

from torch import Tensor, nn

from trainer.backbones.backbone import Backbone, Float32Sequential, halved_side

# width and number of residual pairs; the 20 layers are 4 strided and 16 residual convolutions
ROWS = ((64, 1), (128, 2), (256, 4), (512, 1))
INITIAL_SD = 0.01  # standard deviation of the residual convolutions' initial weights


class Pair(nn.Module):
    """A residual pair: x plus two convolutions of x, each followed by a PReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(2)]
        for convolution in convolutions:
            nn.init.normal_(convolution.weight, 0, INITIAL_SD)
        self.residual = nn.Sequential(convolutions[0], nn.PReLU(width), convolutions[1], nn.PReLU(width))

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, s, s] -> the same shape."""
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
    return Backbone(blocks, Float32Sequential(nn.Flatten(), nn.Dropout(dropout), fc))


def _xavier(layer: nn.Conv2d | nn.Linear) -> None:
    """Set weights as Caffe's xavier filler does: uniform in +-sqrt(3 / inputs), which ignores the number of outputs."""
    bound = (3 / (layer.weight[0].numel())) ** 0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
