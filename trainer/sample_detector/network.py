"""A small detector with SCRFD's outputs: a score, a box and five landmarks for each of two anchors per grid cell.

Guo et al., "Sample and Computation Redistribution for Efficient Face Detection" (arXiv 2105.04714), section 3, gives
the form; the network is as small as its smallest member: depthwise convolutions, three grids with cells of 8, 16 and 32
pixels, and a neck that mixes the grids downwards and upwards. Convention: pixels (x, y), origin top left; a cell's
point is its top left corner, (column, row) * stride.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.export import export_graph, inference_copy, replace_file_when_written

STRIDES = (8, 16, 32)
SIZES = ((16, 32), (64, 128), (256, 512))  # pixels: the sides of the two square anchors of each grid's cell
ANCHORS = 2  # of each cell
VALUES = (1, 4, 10)  # of an anchor: score; left, top, right, bottom; x and y of five landmarks
MEAN, STD = 127.5, 128.0  # what insightface's SCRFD does to a picture
INITIAL_LOGIT = -4.6  # a probability of 1%, so that the many empty cells do not outweigh the few with a face


class Detections(NamedTuple):
    """The network's prediction at every anchor: logits [n, a], boxes [n, a, 4] and landmarks [n, a, 5, 2] in pixels."""

    logits: Tensor
    boxes: Tensor
    landmarks: Tensor


class Network(nn.Module):
    """Pictures [n, 3, h, w] in RGB, (x - 127.5) / 128, sides multiples of 32 -> for each grid scores and distances."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.to_8 = nn.Sequential(
            *_conv(3, 16, 3, stride=2), SeparableBlock(16, 32, 2), SeparableBlock(32, 64, 2), SeparableBlock(64, 64)
        )
        self.to_16 = nn.Sequential(SeparableBlock(64, 96, 2), SeparableBlock(96, 96), SeparableBlock(96, 96))
        self.to_32 = nn.Sequential(SeparableBlock(96, 128, 2), SeparableBlock(128, 128), SeparableBlock(128, 128))
        self.narrow = nn.ModuleList(nn.Sequential(*_conv(c, width, 1)) for c in (64, 96, 128))
        self.mix = nn.ModuleList(SeparableBlock(width, width) for _ in STRIDES)
        self.down = nn.ModuleList(SeparableBlock(width, width, 2) for _ in STRIDES[1:])
        self.heads = nn.ModuleList(
            nn.Sequential(SeparableBlock(width, width), OutputLayer(width, i)) for i in range(len(STRIDES))
        )

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


class SeparableBlock(nn.Module):
    """A 3x3 convolution of each channel, then a 1x1 across channels; x is added where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_conv(inputs, inputs, 3, stride=stride, groups=inputs), *_conv(inputs, outputs, 1))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] -> [n, c', h', w']."""
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


class OutputLayer(nn.Module):
    """The last layer of a grid; its distances are in halves of an anchor's side, so that all sizes train alike."""

    half_sides: Tensor

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(width, ANCHORS * sum(VALUES), 1)
        nn.init.normal_(self.layer.weight, 0, 0.01)
        bias = torch.zeros(ANCHORS, sum(VALUES))
        bias[:, 0], bias[:, 1:5] = INITIAL_LOGIT, 1.0  # at first every box is its anchor
        self.layer.bias = nn.Parameter(bias.flatten())
        half_sides = torch.tensor(SIZES[grid]) / (2 * STRIDES[grid])  # in strides
        self.register_buffer("half_sides", half_sides[None, None, :, None], persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[n, c, h, w] -> logits [n, a, 1], box distances [n, a, 4], landmark distances [n, a, 10], in strides."""
        by_anchor = self.layer(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, ANCHORS, sum(VALUES))
        logits, boxes, landmarks = by_anchor.split(VALUES, -1)
        return (
            logits.flatten(1, 2),
            (boxes * self.half_sides).flatten(1, 2),
            (landmarks * self.half_sides).flatten(1, 2),
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


def decode(outputs: tuple[Tensor, ...], height: int, width: int) -> Detections:
    """The nine outputs as detections, for pictures of this height and width in pixels."""
    places, strides = anchors(height, width)
    points, strides = places[:, :2], strides[:, None]
    logits, distances, landmarks = (torch.cat(outputs[i : i + 3], 1) for i in (0, 3, 6))
    distances = distances * strides
    boxes = torch.cat([points - distances[..., :2], points + distances[..., 2:]], -1)
    marks = points[:, None] + landmarks.view(*landmarks.shape[:-1], 5, 2) * strides[:, None]
    return Detections(logits[..., 0], boxes, marks)


class _ForInsightface(nn.Module):
    """The network with outputs as insightface's SCRFD class reads them: one picture, scores from 0 to 1."""

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
    with replace_file_when_written(Path(path)) as temporary:
        export_graph(
            _ForInsightface(inference_copy(net)),
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
