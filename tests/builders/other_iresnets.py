"""IResNets with the module names of other programs, whose checkpoints are thus compatible with theirs."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512)


class ArcFaceBlock(nn.Module):
    """A block with arcface_torch's names."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        shortcut = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.downsample = nn.Sequential(*shortcut) if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return y + (x if self.downsample is None else self.downsample(x))


class ArcFaceResNet(nn.Module):
    """IResNet18 with arcface_torch's names, for faces of side 16 * `side` pixels."""

    def __init__(self, *, embedding: int, side: int) -> None:
        super().__init__()
        self.conv1, self.bn1, self.prelu = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)
        inputs = 64
        for k, width in enumerate(WIDTHS, 1):
            setattr(self, f"layer{k}", nn.Sequential(ArcFaceBlock(inputs, width, 2), ArcFaceBlock(width, width, 1)))
            inputs = width
        self.bn2, self.fc = nn.BatchNorm2d(512), nn.Linear(512 * side * side, embedding)
        self.features = nn.BatchNorm1d(embedding)

    def forward(self, x: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.features(self.fc(self.bn2(x).flatten(1)))


class IrBlock(nn.Module):
    """A block with the names of AdaFace and CVLFace; the shortcut is a stride where the width stays."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, excite: bool) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inputs != outputs:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        if excite:
            self.res_layer.add_module("se_block", SqueezeExcitation(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut_layer(x) + self.res_layer(x)  # in this order an exporter writes them


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation with AdaFace's names."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(self.avg_pool(x)))))


def ir18(*, embedding: int, side: int, excite: bool = False) -> nn.Sequential:
    """IR-18, or IR-SE-18, with the names of AdaFace and CVLFace, for faces of side 16 * `side` pixels."""
    stem = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
    blocks, inputs = [], 64
    for width in WIDTHS:
        blocks += [IrBlock(inputs, width, 2, excite=excite), IrBlock(width, width, 1, excite=excite)]
        inputs = width
    head = nn.Sequential(
        nn.BatchNorm2d(512),
        nn.Dropout(0.4),
        nn.Flatten(),
        nn.Linear(512 * side * side, embedding),
        nn.BatchNorm1d(embedding, affine=False),
    )
    return nn.Sequential(OrderedDict(input_layer=stem, body=nn.Sequential(*blocks), output_layer=head))


@torch.no_grad()
def trained(net: nn.Module, faces: Tensor, *, seed: int = 0) -> nn.Module:
    """The network in evaluation mode, with random weights and the statistics of faces in its batch norms."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in net.named_parameters():
        if p.ndim > 1:
            p.copy_(torch.randn(p.shape, generator=generator) * (2 / p[0].numel()) ** 0.5)
        elif name != "features.weight":
            p.add_(torch.randn(p.shape, generator=generator) * 0.05)
    for m in net.modules():
        if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d):
            m.momentum = None  # the statistics of all faces
    net.train()(faces)
    return net.eval()
