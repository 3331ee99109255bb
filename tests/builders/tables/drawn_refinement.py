"""A finished refinement of drawn embeddings whose planted noise is known."""

from pathlib import Path

import pytest

from pipeline.noise.stages import find_noise
from pipeline.refined.labels import label
from pipeline.refinement import Refinement, RefineOptions, publish
from tests.builders.made_once import made_once
from tests.builders.tables.drawn_vectors import tables
from tests.builders.tables.planted_noise import planted_noise


def refined(root: str, seed: int = 0) -> tuple[Refinement, dict[str, tuple[str, int | None]]]:
    """A refinement with one test set, and the true labels: the kind of noise and the person of each photo, by key."""
    world = planted_noise(seed)
    photos, faces, embeddings = tables(root, world.rows)
    test_faces, test_embeddings = tables(root, world.test_rows, source="t")[1:]
    noise = find_noise(root, faces, [embeddings], tests=[(test_faces, [test_embeddings])])
    labelling = label(root, photos, noise, undecided="keep", min_faces=2)
    refinement = Refinement(
        photos,
        faces,
        (embeddings,),
        **noise._asdict(),
        **labelling._asdict(),
        test_faces=(test_faces,),
        options=RefineOptions(aligned=True),
    )
    return publish(root, refinement), world.truth


def drawn_root(factory: pytest.TempPathFactory) -> Path:
    """The root of such a refinement, made once for all tests, which no test may change."""
    return made_once(factory, "drawn-root", lambda folder: refined(str(folder)))
