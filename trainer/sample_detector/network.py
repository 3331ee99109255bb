"""A small face detector with SCRFD's outputs: a score, a box and five landmarks for each of two anchors per grid cell.

The outputs are those of Guo et al., "Sample and Computation Redistribution for Efficient Face Detection" (arXiv
2105.04714), section 3; the network is about as small as the smallest one there. It has depthwise convolutions, three
grids with cells of 8, 16 and 32 pixels, and a neck that adds coarse grids to fine ones and then fine ones to coarse
ones. Convention: coordinates (x, y) in pixels, origin at the top left; the anchors of a cell are centred at its top
left corner, (column, row) * stride.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.export import export_graph, inference_copy, replace_file_when_written

STRIDES = (8, 16, 32)  # pixels: the side of a cell of each grid
SIZES = ((16, 32), (64, 128), (256, 512))  # pixels: for each grid the sides of the two square anchors of a cell
ANCHORS = 2  # per cell
# in the head of each grid: most faces of photos are found in the coarse ones, which cost little
HEAD_BLOCKS = (1, 2, 2)
VALUES = (1, 4, 10)  # numbers predicted for an anchor: score; left, top, right, bottom; x and y of five landmarks
MEAN, STD = 127.5, 128.0  # input normalisation of insightface's SCRFD
INITIAL_LOGIT = -4.6  # a score of 1% before training, so that the many empty cells do not dominate the first losses


class Detections(NamedTuple):
    """The predictions for the a anchors of n pictures: logits [n, a], boxes [n, a, 4] and landmarks [n, a, 5, 2].

    Boxes are x1, y1, x2, y2 and landmarks x, y in pixels.
    """

    logits: Tensor
    boxes: Tensor
    landmarks: Tensor


class Network(nn.Module):
    """The detector's network; `decode` turns its outputs into detections.

    Its input is pictures [n, 3, h, w] in RGB, normalised as (x - 127.5) / 128; h and w are multiples of 32.
    """

    def __init__(self, width: int = 56) -> None:
        super().__init__()
        self.to_8 = nn.Sequential(
            *_conv(3, 16, 3, stride=2), SeparableBlock(16, 32, 2), SeparableBlock(32, 64, 2), SeparableBlock(64, 64)
        )
        self.to_16 = nn.Sequential(SeparableBlock(64, 128, 2), SeparableBlock(128, 128), SeparableBlock(128, 128))
        self.to_32 = nn.Sequential(SeparableBlock(128, 160, 2), SeparableBlock(160, 160), SeparableBlock(160, 160))
        self.narrow = nn.ModuleList(nn.Sequential(*_conv(c, width, 1)) for c in (64, 128, 160))
        self.mix = nn.ModuleList(SeparableBlock(width, width) for _ in STRIDES)
        self.down = nn.ModuleList(SeparableBlock(width, width, 2) for _ in STRIDES[1:])
        self.heads = nn.ModuleList(
            nn.Sequential(*(SeparableBlock(width, width) for _ in range(count)), OutputLayer(width, i))
            for i, count in enumerate(HEAD_BLOCKS)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Nine tensors [n, anchors, 1 or 4 or 10]: logits for strides 8, 16, 32, then box distances, then landmarks.

        Distances are from an anchor's centre, in strides: to the box's left, top, right and bottom side, and to each
        landmark in x and y.
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
    """A 3x3 convolution of each channel, then a 1x1 convolution across channels.

    The input x is added when input and output have the same shape.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_conv(inputs, inputs, 3, stride=stride, groups=inputs), *_conv(inputs, outputs, 1))
        self.adds_input = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] -> [n, c', h', w']."""
        y: Tensor = self.layers(x)
        return x + y if self.adds_input else y


class OutputLayer(nn.Module):
    """The last layer of a grid.

    Inside the layer distances are in units of half the anchor's side, so that anchors of all sizes have predictions of
    about the same magnitude.
    """

    half_sides: Tensor

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(width, ANCHORS * sum(VALUES), 1)
        nn.init.normal_(self.layer.weight, 0, 0.01)
        bias = torch.zeros(ANCHORS, sum(VALUES))
        bias[:, 0], bias[:, 1:5] = INITIAL_LOGIT, 1.0  # before training every box equals its anchor
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
    """The anchors [a, 3] of a picture (x and y of the centre and side, in pixels) and the strides [a] of their grids.

    height, width: of the picture in pixels. The anchors are in the order of the network's outputs.
    """
    rows, strides = [], []
    for stride, sizes in zip(STRIDES, SIZES, strict=True):
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        points = torch.stack([x, y], -1).view(-1, 1, 2).expand(-1, len(sizes), 2) * stride
        sides = torch.tensor(sizes).view(1, -1, 1).expand(len(points), -1, 1)
        rows.append(torch.cat([points, sides], -1).reshape(-1, 3).float())
        strides.append(torch.full((len(rows[-1]),), float(stride)))
    return torch.cat(rows), torch.cat(strides)


def decode(outputs: tuple[Tensor, ...], height: int, width: int) -> Detections:
    """The detections in the network's nine outputs, for pictures of this height and width in pixels."""
    anchor_squares, strides = anchors(height, width)
    centres, strides = anchor_squares[:, :2], strides[:, None]
    logits, box_distances, landmark_distances = (torch.cat(outputs[i : i + 3], 1) for i in (0, 3, 6))
    box_distances = box_distances * strides
    boxes = torch.cat([centres - box_distances[..., :2], centres + box_distances[..., 2:]], -1)
    landmark_distances = landmark_distances.view(*landmark_distances.shape[:-1], 5, 2)
    landmarks = centres[:, None] + landmark_distances * strides[:, None]
    return Detections(logits[..., 0], boxes, landmarks)


class _ForInsightface(nn.Module):
    """The network with outputs as insightface's SCRFD class reads them: of one picture, with scores from 0 to 1."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs = [o.reshape(-1, VALUES[i // len(STRIDES)]) for i, o in enumerate(self.net(x))]
        return (*(o.sigmoid() for o in outputs[:3]), *outputs[3:])


def to_onnx(net: nn.Module, path: str | Path) -> None:
    """Write a detector's network as an ONNX file, which the pipeline and insightface read as SCRFD.

    Its input is [1, 3, h, w], h and w any multiples of 32; its nine outputs are in SCRFD's order. Raises UserError when
    the file cannot be written.
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
