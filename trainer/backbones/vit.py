"""ViT: a vision transformer for faces, in the form and the sizes T and S of insightface's arcface_torch.

Dosovitskiy et al., "An Image is Worth 16x16 Words" (arXiv 2010.11929), section 3.1, with these differences of
arcface_torch (backbones/vit.py): patches of 9x9 pixels, ReLU6, no class token, and a head that sees all patches. While
training, blocks are passed over at random (stochastic depth: Huang et al., arXiv 1603.09382, section 3), and a tenth of
the patches is left out of each face; the head sees a learned token in their place. arcface_torch trains such a network
with AdamW.
"""

import torch
from torch import Tensor, nn

from trainer.backbones.backbone import Backbone, Float32Sequential

PATCH = 9  # side of a patch in pixels
DEPTH, HEADS, MLP_RATIO = 12, 8, 4
WIDTHS = {"t": 256, "s": 512}
DROP_PATH = 0.1  # probability with which the last block is passed over; it rises from 0 at the first one
MASKED = 0.1  # share of the patches that are left out
INITIAL_SD = 0.02
HEAD_EPS = 2e-5


class Patches(nn.Module):
    """Cuts a face into patches: each becomes a vector, to which that of its place is added."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        self.count = (size // PATCH) ** 2
        self.project = nn.Conv2d(channels, width, PATCH, PATCH)
        self.place = nn.Parameter(nn.init.normal_(torch.empty(1, self.count, width), std=INITIAL_SD))

    def forward(self, x: Tensor) -> Tensor:
        """Faces [n, c, s, s] -> tokens [n, patches, width]."""
        return self.project(x).flatten(2).transpose(1, 2) + self.place  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Self-attention among the patches of a face; the products and the softmax are in float32 also under autocast."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[n, t, width] -> the same shape."""
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(n, tokens, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        with torch.autocast(x.device.type, enabled=False):
            dtype = self.qkv.weight.dtype
            weight = (q.to(dtype) @ k.to(dtype).transpose(-2, -1) * (width // HEADS) ** -0.5).softmax(-1)
            mixed = (weight @ v.to(dtype)).transpose(1, 2).reshape(n, tokens, width)
        y: Tensor = self.project(mixed)
        return y


class Block(nn.Module):
    """x + attention, then x + two layers for each patch; while training, each of the two may be passed over."""

    def __init__(self, width: int, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.attention = nn.Sequential(nn.LayerNorm(width), Attention(width))
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, MLP_RATIO * width),
            nn.ReLU6(),
            nn.Linear(MLP_RATIO * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[n, t, width] -> the same shape."""
        for branch in (self.attention, self.mlp):
            x = x + self._kept(branch(x))
        return x

    def _kept(self, y: Tensor) -> Tensor:
        """The branch's output, 0 for faces that pass it over and larger for the others, so that its mean stays."""
        if not (self.training and self.drop_path):
            return y
        keep = 1 - self.drop_path
        return y * (torch.rand(len(y), 1, 1, device=y.device) < keep) / keep


class Restore(nn.Module):
    """Normalises the tokens, and puts a learned one in the place of each patch that was left out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.left_out = nn.Parameter(nn.init.normal_(torch.empty(1, 1, width), std=INITIAL_SD))

    def forward(self, x: Tensor, places: Tensor | None, count: int) -> Tensor:
        """Tokens [n, t, width] of the places [n, t], None for all in order -> [n, count, width]."""
        x = self.norm(x)
        if places is None:
            return x
        whole = self.left_out.to(x.dtype).expand(len(x), count, -1)
        return whole.scatter(1, places[..., None].expand_as(x), x)


class VisionTransformer(Backbone):
    """Blocks [n, t, width] -> [n, t, width] between Patches and Restore, and a head for all patches."""

    def forward(self, x: Tensor) -> Tensor:
        """Faces [n, channels, size, size] -> features [n, embedding], not normalised."""
        patches, *blocks, restore = self.blocks
        x = patches(x)
        count = x.shape[1]
        places = None
        if self.training:
            places = torch.rand(len(x), count, device=x.device).argsort(1)[:, : int(count * (1 - MASKED))]
            x = x.gather(1, places[..., None].expand(-1, -1, x.shape[2]))
        for block in blocks:
            x = self.run_block(block, x)
        features: Tensor = self.head(restore(x, places, count))
        return features


def vit(name: str, *, embedding: int, channels: int, size: int, dropout: float) -> Backbone:
    """ViT of size "t" or "s" for faces [channels, size, size]."""
    width = WIDTHS[name]
    patches = Patches(channels, size, width)
    blocks = [Block(width, DROP_PATH * i / (DEPTH - 1)) for i in range(DEPTH)]
    head = Float32Sequential(
        nn.Flatten(),
        nn.Linear(width * patches.count, width, bias=False),
        nn.BatchNorm1d(width, HEAD_EPS),
        nn.Dropout(dropout),
        nn.Linear(width, embedding, bias=False),
        nn.BatchNorm1d(embedding, HEAD_EPS),
    )
    net = VisionTransformer([patches, *blocks, Restore(width)], head)
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=INITIAL_SD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net
