"""Loads the models that a user names: an ONNX file, an InsightFace pack, or a checkpoint of the trainer."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import check_all
from pipeline.faces.accelerator.devices import chosen_name
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import OnnxEmbedder
from pipeline.faces.face_quality.quality_model import FaceQualityModel, quality_model_format
from pipeline.faces.model_file import resolve_model
from pipeline.faces.packs import find_model
from pipeline.faces.protocols import FaceEmbedder

CHECKPOINTS = (".pt", ".pth", ".ckpt", ".safetensors")


class Models(NamedTuple):
    """The face detector of a refinement, and its embedders, the better one first."""

    detector: OnnxDetector
    embedders: tuple[FaceEmbedder, ...]
    quality: FaceQualityModel | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the detector's file and of the embedders' files."""
        return (self.detector.model, *(embedder.model for embedder in self.embedders))


def load_models(
    detector: str, embedder: str, second_embedder: str = "", *, quality: str = "", flip: str = ""
) -> Models:
    """The models of a refinement. Raises UserError at once for a file that is not such a model: each is loaded here."""
    embedders = [model for model in (embedder, second_embedder) if model]
    loaded = check_all(
        lambda: OnnxDetector(find_model(detector, "detector")),
        lambda: load_quality_model(quality) if quality else None,
        *(partial(load_embedder, e, flip) for e in embedders),
    )
    return Models(loaded[0], tuple(loaded[2:]), loaded[1])


def load_quality_model(model: str) -> FaceQualityModel:
    """The face-quality model in an ONNX file. Raises UserError at once for a file that is none: it is loaded here."""
    path = resolve_model(model)
    quality_model_format(path)
    return FaceQualityModel(path)


def load_embedder(model: str, flip: str = "") -> FaceEmbedder:
    """The embedder in an ONNX file, an InsightFace pack or a checkpoint.

    flip: how the mirrored face's embedding is combined with the face's own: none, add or concatenate; "": none. A
    checkpoint runs in bf16 on a card, which its address says; an ONNX file as it is, in half precision if its weights
    are. The model is loaded here, so that UserError is raised at once for a file that is not an embedder.
    """
    flip = flip or "none"
    if not is_checkpoint(model):
        return OnnxEmbedder(find_model(model, "embedder"), flip)
    from trainer.embedder import Embedder  # torch takes seconds, and an ONNX model needs none

    device = chosen_name().replace("tensorrt", "cuda")
    embedder = Embedder(str(Path(model).absolute()), flip, device=device)
    if embedder.on_card:
        embedder = replace(embedder, precision="bf16")
    embedder.dim  # noqa: B018  reading the property loads the model
    return embedder


def is_checkpoint(model: str) -> bool:
    """Whether a model's path ends like that of a checkpoint."""
    return Path(model).suffix in CHECKPOINTS
