"""A MobileFaceNet and a ViT with the module names of arcface_torch, to compare networks and names with."""

import torch
from torch import Tensor, nn


class Layers(nn.Module):
    """Modules in a row under the name `layers`, with a shortcut around all of them where it is asked for."""

    def __init__(self, *modules: nn.Module, adds_input: bool = False) -> None:
        super().__init__()
        self.layers, self.adds_input = nn.Sequential(*modules), adds_input

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + x if self.adds_input else self.layers(x)


def conv(a: int, b: int, kernel: int = 1, *, stride: int = 1, pad: int = 0, groups: int = 1, prelu: bool = True):
    layers = [nn.Conv2d(a, b, kernel, stride, pad, groups=groups, bias=False), nn.BatchNorm2d(b)]
    return Layers(*layers, nn.PReLU(b)) if prelu else Layers(*layers)


def bottleneck(a: int, b: int, wide: int, *, stride: int = 1) -> Layers:
    depthwise = conv(wide, wide, 3, stride=stride, pad=1, groups=wide)
    return Layers(conv(a, wide), depthwise, conv(wide, b, prelu=False), adds_input=stride == 1 and a == b)


class Mbf(nn.Module):
    """arcface_torch's mbf, for faces of side 16 * `side` pixels."""

    def __init__(self, *, embedding: int, side: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                conv(3, 128, 3, stride=2, pad=1),
                conv(128, 128, 3, pad=1, groups=64),
                bottleneck(128, 128, 128, stride=2),
                Layers(*(bottleneck(128, 128, 128) for _ in range(4))),
                bottleneck(128, 256, 256, stride=2),
                Layers(*(bottleneck(256, 256, 256) for _ in range(6))),
                bottleneck(256, 256, 512, stride=2),
                Layers(*(bottleneck(256, 256, 256) for _ in range(2))),
            ]
        )
        self.conv_sep = conv(256, 512)
        pooled = conv(512, 512, side, groups=512, prelu=False)
        self.features = Layers(pooled, nn.Flatten(), nn.Linear(512, embedding, bias=False), nn.BatchNorm1d(embedding))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.features(self.conv_sep(x))


class VitBlock(nn.Module):
    """A block with arcface_torch's names, of torch's own attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width, bias=False), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.unflatten(2, (8, -1)).transpose(1, 2) for t in self.attn["qkv"](self.norm1(x)).chunk(3, 2))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.attn["proj"](mixed)
        return x + self.mlp["fc2"](self.mlp["fc1"](self.norm2(x)).clamp(0, 6))


class VitT(nn.Module):
    """arcface_torch's vit_t, for faces of side 9 * `side` to 9 * `side` + 8 pixels."""

    def __init__(self, *, embedding: int, side: int) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, 256, 9, 9)})
        self.pos_embed = nn.Parameter(torch.randn(1, side * side, 256))
        self.mask_token = nn.Parameter(torch.randn(1, 1, 256))
        self.blocks, self.norm = nn.ModuleList(VitBlock(256) for _ in range(12)), nn.LayerNorm(256)
        self.feature = nn.Sequential(
            nn.Linear(256 * side * side, 256, bias=False),
            nn.BatchNorm1d(256, eps=2e-5),
            nn.Linear(256, embedding, bias=False),
            nn.BatchNorm1d(embedding, eps=2e-5),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed["proj"](x).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.feature(self.norm(x).flatten(1))
