"""Backbones: networks that compute an embedding from a face. Each has its own file and is chosen by name.

A backbone takes faces [n, channels, size, size] as floats from -1 to 1, in RGB or grey, and gives features
[n, embedding], which are not normalised: the losses and the pipeline do that. A test counts the parameters and
multiply-adds of this table and compares them with the published numbers (ResNet50 43.6M and ResNet100 65.2M parameters,
MBF 2.06M, ViT-T 1.5G and ViT-S 5.7G multiply-adds in insightface's arcface_torch; MobileFaceNet 0.99M parameters and
221M multiply-adds in its paper). What arcface_torch calls MBF is mobilefacenet_large here: figures that are published
for it are not those of mobilefacenet.

| name                | input     | embedding | parameters | multiply-adds |
|---------------------|-----------|-----------|------------|---------------|
| iresnet18           | 3x112x112 | 512       | 24.03M     | 2.610G        |
| iresnet34           | 3x112x112 | 512       | 34.14M     | 4.460G        |
| iresnet50           | 3x112x112 | 512       | 43.59M     | 6.309G        |
| iresnet100          | 3x112x112 | 512       | 65.16M     | 12.090G       |
| iresnet200          | 3x112x112 | 512       | 118.83M    | 23.419G       |
| iresnet18_se        | 3x112x112 | 512       | 24.11M     | 2.610G        |
| iresnet50_se        | 3x112x112 | 512       | 43.81M     | 6.310G        |
| iresnet100_se       | 3x112x112 | 512       | 65.53M     | 12.090G       |
| mobilefacenet       | 3x112x112 | 128       | 1.00M      | 0.221G        |
| mobilefacenet_large | 3x112x112 | 512       | 2.06M      | 0.438G        |
| vit_t               | 3x112x112 | 512       | 19.14M     | 1.505G        |
| vit_s               | 3x112x112 | 512       | 76.02M     | 5.747G        |
| sphere20            | 3x112x112 | 512       | 24.50M     | 2.041G        |
| greyface            | 1x128x128 | 512       | 25.63M     | 2.241G        |
| greyface_se         | 1x128x128 | 512       | 25.72M     | 2.241G        |
| sample              | 3x112x112 | 128       | 0.47M      | 0.025G        |
"""

from collections.abc import Callable
from functools import partial

from pipeline.errors import UserError
from trainer.backbones.backbone import Backbone
from trainer.backbones.greyface import greyface
from trainer.backbones.iresnet import iresnet
from trainer.backbones.mobilefacenet import mobilefacenet, mobilefacenet_large
from trainer.backbones.sample import sample
from trainer.backbones.sphere20 import sphere20
from trainer.backbones.vit import vit

BACKBONES: dict[str, Callable[..., Backbone]] = {
    **{f"iresnet{depth}": partial(iresnet, depth) for depth in (18, 34, 50, 100, 200)},
    **{f"iresnet{depth}_se": partial(iresnet, depth, excite=True) for depth in (18, 50, 100)},
    "mobilefacenet": mobilefacenet,
    "mobilefacenet_large": mobilefacenet_large,
    **{f"vit_{name}": partial(vit, name) for name in ("t", "s")},
    "sphere20": sphere20,
    "greyface": greyface,
    "greyface_se": partial(greyface, excite=True),
    "sample": sample,
}


def make_backbone(
    name: str, *, embedding: int = 512, channels: int = 3, size: int = 112, dropout: float = 0.0
) -> Backbone:
    """The untrained network with this name, for faces [channels, size, size].

    embedding: length of the features. dropout: probability before the last layer. Raises UserError for an unknown name
    and for a size below 32 pixels, which is too small for the network's strides.
    """
    if name not in BACKBONES:
        raise UserError(f"no backbone is called {name}: give one of {', '.join(BACKBONES)}")
    if size < 32:
        raise UserError(f"faces of {size}x{size} are too small for {name}: give at least 32x32")
    return BACKBONES[name](embedding=embedding, channels=channels, size=size, dropout=dropout)
