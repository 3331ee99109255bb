"""The models that an evaluation compares, and the short names by which its results show them."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from flows.evaluate.megaface.embeddings import StoredEmbeddings, is_stored
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from pipeline.faces.protocols import FaceEmbedder


class ComparedModels(NamedTuple):
    """Models by short name, in the order given: embedders, and folders with embeddings of MegaFace's photos.

    flip: how the embedders use the mirrored face; "" where the kind of the test set decides.
    """

    embedders: dict[str, FaceEmbedder]
    stored: dict[str, StoredEmbeddings]
    flip: str = ""

    def with_default_flip(self, flip: str) -> dict[str, FaceEmbedder]:
        """The embedders for a test set that is measured with this flip where the user gives none."""
        if self.flip or not flip:
            return self.embedders
        return {name: load_embedder(embedder.model, flip) for name, embedder in self.embedders.items()}


def load_compared_models(paths: Sequence[str], *, flip: str) -> ComparedModels:
    """The models at these paths; flip: see ComparedModels.

    Raises UserError for one that is given twice, and for a path that is not a model.
    """
    models = [path for path in paths if not is_stored(path)]
    if len(set(models)) < len(models):
        raise UserError(f"a model is given twice ({', '.join(models)}): name each once")
    names = short_names(models, [Path(path).stem for path in models])
    embedders = {name: load_embedder(path, flip) for name, path in zip(names, models, strict=True)}
    stored = {Path(path).name: StoredEmbeddings(path) for path in paths if is_stored(path)}
    return ComparedModels(embedders, stored, flip)


def short_names(paths: Sequence[str], names: Sequence[str]) -> list[str]:
    """The name of each path; the path itself where another one has the same name."""
    return [name if list(names).count(name) == 1 else path for path, name in zip(paths, names, strict=True)]


def numbered_names(names: Sequence[str]) -> list[str]:
    """The names, each once: a number follows a name that an earlier one has (lfw, lfw-2)."""
    numbered: list[str] = []
    for name in names:
        is_taken = name in numbered
        free = (f"{name}-{n}" for n in count(2) if f"{name}-{n}" not in {*names, *numbered})
        numbered.append(next(free) if is_taken else name)
    return numbered
