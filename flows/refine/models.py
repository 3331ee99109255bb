"""A model by what a user calls it: an ONNX file, an InsightFace pack, or a checkpoint of the trainer."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.faces.embed import Embedder
from pipeline.faces.packs import find_model

if TYPE_CHECKING:
    from trainer.embedder import Embedder as Trained

CHECKPOINTS = (".pt", ".pth", ".ckpt")


def embedder_of(model: str, flip: str = "none") -> "Embedder | Trained":
    """An embedder by its name: an ONNX file, an InsightFace pack, or a checkpoint of the trainer; loaded once to see.

    Raises UserError for anything else.
    """
    if not is_checkpoint(model):
        return Embedder(find_model(model, "embedder"), flip)
    from trainer.embedder import Embedder as Trained  # torch takes seconds, and an ONNX model needs none

    found = Trained(str(Path(model).absolute()), flip)
    found.dim  # noqa: B018  loads it
    return found


def is_checkpoint(model: str) -> bool:
    """Whether a model is called like a checkpoint."""
    return Path(model).suffix in CHECKPOINTS
