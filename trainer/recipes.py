"""Recipes: named runs with the settings of published trainings, and one run for the drawn sample world."""

from pipeline.errors import UserError
from trainer.run import Run

# of ArcFace's networks on every data set: in output "E" of section 3.1, in the authors' code for MXNet (get_fc1 in
# symbol/symbol_utils.py of recognition/SubCenter-ArcFace); their later arcface_torch has other settings, and no dropout
DROPOUT = 0.4


def sample() -> Run:
    """For the drawn sample world, on a CPU in under a minute; few small classes need a small scale and margin."""
    return Run(
        backbone="sample",
        embedding=128,
        loss="arcface:scale=16,m2=0.3",
        batch=64,
        steps=240,
        optimizer="adamw",
        lr=2e-3,
        weight_decay=0.02,
        schedule="cosine",
        warmup=30,
        augment=0.3,
    )


def casia_r50() -> Run:
    """ArcFace v3, section 3.1, on CASIA-WebFace: 32K updates of 512 photos, lr .1 divided by 10 at 20K and 28K."""
    return Run(
        backbone="iresnet50",
        loss="arcface",
        batch=512,
        steps=32_000,
        lr=0.1,
        schedule="step:20000,28000",
        dropout=DROPOUT,
        precision="bf16",
    )


def ms1m_r50() -> Run:
    """ArcFace v3, section 3.1, on MS1MV2, with ResNet50: 180K updates of 512, lr .1 divided by 10 at 100K and 160K."""
    return Run(
        backbone="iresnet50",
        loss="arcface",
        batch=512,
        steps=180_000,
        lr=0.1,
        schedule="step:100000,160000",
        dropout=DROPOUT,
        precision="bf16",
    )


def ms1m_r100() -> Run:
    """As ms1m_r50, with ResNet100: the network of the paper's best figures."""
    return Run(
        backbone="iresnet100",
        loss="arcface",
        batch=512,
        steps=180_000,
        lr=0.1,
        schedule="step:100000,160000",
        dropout=DROPOUT,
        precision="bf16",
        recompute=True,
    )


def amsoftmax_r20() -> Run:
    """AM-Softmax (arXiv 1801.05599), section 4.2: 20 layers, batch 256, s 30, m .35, lr .1 / 10 at 16K, 24K, 28K."""
    return Run(
        backbone="sphere20",
        loss="cosface:scale=30,m3=0.35",
        batch=256,
        steps=30_000,
        lr=0.1,
        schedule="step:16000,24000,28000",
        clip=0.0,
    )


RECIPES = {f.__name__: f for f in (sample, casia_r50, ms1m_r50, ms1m_r100, amsoftmax_r20)}


def recipe(name: str) -> Run:
    """The run of the recipe with this name. Raises UserError for an unknown name."""
    if name not in RECIPES:
        raise UserError(f"no recipe is called {name}: give one of {', '.join(RECIPES)}")
    return RECIPES[name]()
