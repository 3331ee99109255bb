"""The networks that turn a face into an embedding, each in a file of its own, chosen by name.

Each takes float faces [n, channels, size, size] in RGB from -1 to 1 and gives features [n, embedding], which only the
losses and the pipeline normalise. Their parameters and multiply-adds, which a test counts and compares with the
published ones (ResNet50 43.6M, ResNet100 65.2M: insightface's arcface_torch; MobileFaceNet 0.99M and 221M):

| name          | input     | embedding | parameters | multiply-adds |
|---------------|-----------|-----------|------------|---------------|
| iresnet18     | 3x112x112 | 512       | 24.03M     | 2.610G        |
| iresnet34     | 3x112x112 | 512       | 34.14M     | 4.460G        |
| iresnet50     | 3x112x112 | 512       | 43.59M     | 6.309G        |
| iresnet100    | 3x112x112 | 512       | 65.16M     | 12.090G       |
| iresnet200    | 3x112x112 | 512       | 118.83M    | 23.419G       |
| mobilefacenet | 3x112x112 | 128       | 1.00M      | 0.221G        |
| sphere20      | 3x112x112 | 512       | 24.50M     | 2.041G        |
| greyface      | 1x128x128 | 512       | 25.63M     | 2.241G        |
| greyface_se   | 1x128x128 | 512       | 25.72M     | 2.241G        |
| sample        | 3x112x112 | 128       | 0.47M      | 0.025G        |
"""

from collections.abc import Callable
from functools import partial

from pipeline.errors import UserError
from trainer.backbones.backbone import Backbone
from trainer.backbones.greyface import greyface
from trainer.backbones.iresnet import iresnet
from trainer.backbones.mobilefacenet import mobilefacenet
from trainer.backbones.sample import sample
from trainer.backbones.sphere20 import sphere20

BACKBONES: dict[str, Callable[..., Backbone]] = {
    **{f"iresnet{depth}": partial(iresnet, depth) for depth in (18, 34, 50, 100, 200)},
    "mobilefacenet": mobilefacenet,
    "sphere20": sphere20,
    "greyface": greyface,
    "greyface_se": partial(greyface, excite=True),
    "sample": sample,
}


def make_backbone(
    name: str, *, embedding: int = 512, channels: int = 3, size: int = 112, dropout: float = 0.0
) -> Backbone:
    """The untrained network of this name, for faces [channels, size, size].

    Raises UserError for an unknown name, or a size in pixels too small for the network's reductions.
    """
    if name not in BACKBONES:
        raise UserError(f"no backbone is called {name}: give one of {', '.join(BACKBONES)}")
    if size < 32:
        raise UserError(f"faces of {size}x{size} are too small for {name}: give at least 32x32")
    return BACKBONES[name](embedding=embedding, channels=channels, size=size, dropout=dropout)
