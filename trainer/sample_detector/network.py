"""A small detector with SCRFD's outputs: for every cell of three grids and two anchors a score, a box, five landmarks.

Guo et al., "Sample and Computation Redistribution for Efficient Face Detection" (arXiv 2105.04714), section 3, gives
the form; the network is its smallest member's size: depthwise convolutions, and a neck that mixes the grids downwards
and upwards. Convention: pixels (x, y), origin top left; a cell's point is its top left corner, (column, row) * stride.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.export import export_graph, inference_copy, whole_file

STRIDES = (8, 16, 32)
SIZES = ((16, 32), (64, 128), (256, 512))  # pixels: the sides of the two square anchors of each grid's cell
ANCHORS = 2  # of each cell
VALUES = (1, 4, 10)  # of an anchor: score; left, top, right, bottom; x and y of five landmarks
MEAN, STD = 127.5, 128.0  # what insightface's SCRFD does to a picture
RARE = -4.6  # log odds of a face at the start: 1%, so that the many empty cells do not drown the few others


class Found(NamedTuple):
    """What the network says of every anchor: logits [n, a], boxes [n, a, 4] and landmarks [n, a, 5, 2] in pixels."""

    logits: Tensor
    boxes: Tensor
    landmarks: Tensor


class Network(nn.Module):
    """Pictures [n, 3, h, w] in RGB, (x - 127.5) / 128, sides multiples of 32 -> for each grid scores and distances."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.to_8 = nn.Sequential(*_conv(3, 16, 3, stride=2), Apart(16, 32, 2), Apart(32, 64, 2), Apart(64, 64))
        self.to_16 = nn.Sequential(Apart(64, 96, 2), Apart(96, 96), Apart(96, 96))
        self.to_32 = nn.Sequential(Apart(96, 128, 2), Apart(128, 128), Apart(128, 128))
        self.narrow = nn.ModuleList(nn.Sequential(*_conv(c, width, 1)) for c in (64, 96, 128))
        self.mix = nn.ModuleList(Apart(width, width) for _ in STRIDES)
        self.down = nn.ModuleList(Apart(width, width, 2) for _ in STRIDES[1:])
        self.heads = nn.ModuleList(nn.Sequential(Apart(width, width), Outputs(width, i)) for i in range(len(STRIDES)))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Nine tensors [n, anchors, 1 or 4 or 10]: logits of strides 8, 16, 32, then box distances, then landmarks.

        Distances are in strides: from the cell's point to the left, top, right, bottom; to a landmark in x and y.
        """
        at_8 = self.to_8(x)
        at_16 = self.to_16(at_8)
        grids = [narrow(g) for narrow, g in zip(self.narrow, (at_8, at_16, self.to_32(at_16)), strict=True)]
        for i in (1, 0):
            grids[i] = grids[i] + functional.interpolate(grids[i + 1], scale_factor=2.0, mode="nearest")
        grids = [mix(g) for mix, g in zip(self.mix, grids, strict=True)]
        for i in (1, 2):
            grids[i] = grids[i] + self.down[i - 1](grids[i - 1])
        by_grid = [head(g) for head, g in zip(self.heads, grids, strict=True)]
        return tuple(outputs[kind] for kind in range(len(VALUES)) for outputs in by_grid)


class Apart(nn.Module):
    """A 3x3 convolution of each channel, then a 1x1 across them; x is added where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_conv(inputs, inputs, 3, stride=stride, groups=inputs), *_conv(inputs, outputs, 1))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] -> [n, c', h', w']."""
        found: Tensor = self.layers(x)
        return x + found if self.adds else found


class Outputs(nn.Module):
    """The last layer of a grid: what it says is in halves of an anchor, so that all sizes are learnt alike."""

    reach: Tensor

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(width, ANCHORS * sum(VALUES), 1)
        nn.init.normal_(self.layer.weight, 0, 0.01)
        start = torch.zeros(ANCHORS, sum(VALUES))
        start[:, 0], start[:, 1:5] = RARE, 1.0
        self.layer.bias = nn.Parameter(start.flatten())
        reach = torch.tensor(SIZES[grid]) / (2 * STRIDES[grid])
        self.register_buffer("reach", reach[None, None, :, None], persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[n, c, h, w] -> logits [n, a, 1], box distances [n, a, 4], landmark distances [n, a, 10], in strides."""
        by_anchor = self.layer(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, ANCHORS, sum(VALUES))
        logits, boxes, landmarks = by_anchor.split(VALUES, -1)
        return (
            logits.flatten(1, 2),
            (boxes * self.reach).flatten(1, 2),
            (landmarks * self.reach).flatten(1, 2),
        )


@cache
def anchors(height: int, width: int) -> tuple[Tensor, Tensor]:
    """The anchors [a, 3] of a picture as x, y and side in pixels, in the outputs' order, and their strides [a]."""
    rows, strides = [], []
    for stride, sizes in zip(STRIDES, SIZES, strict=True):
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        points = torch.stack([x, y], -1).view(-1, 1, 2).expand(-1, len(sizes), 2) * stride
        sides = torch.tensor(sizes).view(1, -1, 1).expand(len(points), -1, 1)
        rows.append(torch.cat([points, sides], -1).reshape(-1, 3).float())
        strides.append(torch.full((len(rows[-1]),), float(stride)))
    return torch.cat(rows), torch.cat(strides)


def decode(outputs: tuple[Tensor, ...], height: int, width: int) -> Found:
    """The nine outputs in pixels of a picture of that height and width."""
    places, strides = anchors(height, width)
    points, strides = places[:, :2], strides[:, None]
    logits, distances, landmarks = (torch.cat(outputs[i : i + 3], 1) for i in (0, 3, 6))
    distances = distances * strides
    boxes = torch.cat([points - distances[..., :2], points + distances[..., 2:]], -1)
    marks = points[:, None] + landmarks.view(*landmarks.shape[:-1], 5, 2) * strides[:, None]
    return Found(logits[..., 0], boxes, marks)


class _Scored(nn.Module):
    """The network as insightface's SCRFD class wants it: flat, and scores from 0 to 1."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs = [o.reshape(-1, VALUES[i // len(STRIDES)]) for i, o in enumerate(self.net(x))]
        return (*(o.sigmoid() for o in outputs[:3]), *outputs[3:])


def to_onnx(net: nn.Module, path: str | Path) -> None:
    """Write a detector's file: input [1, 3, h, w], h and w any multiples of 32; nine outputs in SCRFD's order.

    Raises UserError when the file cannot be written.
    """
    names = [f"{kind}_{stride}" for kind in ("score", "bbox", "kps") for stride in STRIDES]
    dynamic_axes = {"input.1": {2: "height", 3: "width"}} | {n: {0: "anchors_" + n.split("_")[1]} for n in names}
    with whole_file(Path(path)) as temporary:
        export_graph(
            _Scored(inference_copy(net)),
            torch.zeros(1, 3, 64, 96),
            temporary,
            inputs=["input.1"],
            outputs=names,
            dynamic_axes=dynamic_axes,
        )


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]
