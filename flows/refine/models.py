"""A model by what a user calls it: an ONNX file, an InsightFace pack, or a checkpoint of the trainer."""

from pathlib import Path

from pipeline.faces.embed import OnnxEmbedder
from pipeline.faces.packs import find_model
from pipeline.faces.protocols import FaceEmbedder

CHECKPOINTS = (".pt", ".pth", ".ckpt")


def embedder_of(model: str, flip: str = "none") -> FaceEmbedder:
    """An embedder by its name: an ONNX file, an InsightFace pack, or a checkpoint of the trainer; loaded once to see.

    Raises UserError for anything else.
    """
    if not is_checkpoint(model):
        return OnnxEmbedder(find_model(model, "embedder"), flip)
    from trainer.embedder import Embedder  # torch takes seconds, and an ONNX model needs none

    embedder = Embedder(str(Path(model).absolute()), flip)
    embedder.dim  # noqa: B018  loads it
    return embedder


def is_checkpoint(model: str) -> bool:
    """Whether a model is called like a checkpoint."""
    return Path(model).suffix in CHECKPOINTS
