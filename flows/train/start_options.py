"""The options by which a training starts from weights, and the name of a training's folder in a root."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.schema import digest
from trainer.run import Run, folder_text

if TYPE_CHECKING:
    from trainer.pretrained.start import Start

Init = Annotated[
    str,
    typer.Option(
        metavar="FILE",
        help="Start from the weights in a file: a checkpoint of `refinery train`, weights of arcface_torch "
        "(IResNet, MBF, ViT), AdaFace or CVLFace (.pt, .pth, .ckpt, .safetensors), or an ONNX file with the layers of "
        "--backbone.",
    ),
]
Freeze = Annotated[bool, typer.Option("--freeze", help="With --init: train the classifier only.")]
LayerLearningRate = Annotated[
    float, typer.Option("--layer-lr", help="Learning rate of a block of the backbone, as a share of the next block's.")
]
NewClassifier = Annotated[
    bool,
    typer.Option("--new-classifier", help="With --init: do not take the file's classifier for identities of its data."),
]


def start_of(init: str, *, freeze: bool = False, layer_lr: float = 1.0, new_classifier: bool = False) -> "Start":
    """The start that these options describe. Raises UserError for options out of range."""
    from trainer.pretrained.start import Start  # torch takes seconds to load

    return Start(init, freeze=freeze, layer_lr=layer_lr, new_classifier=new_classifier)


def training_digest(data: Path, run: Run, start: "Start") -> str:
    """The name of the folder of a training in a root: a digest of its data, its run, and a start from weights."""
    return digest(data.stem, folder_text(run), *([str(start.settings)] if start.settings else []))
