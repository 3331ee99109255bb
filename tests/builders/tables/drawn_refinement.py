"""A finished refinement of drawn vectors, whose truth is known, for tests of what is asked about it."""

from pipeline.noise.stages import find
from pipeline.refined.labels import label
from pipeline.refinement import Refinement, RefineOptions, publish
from tests.builders.tables.drawn_vectors import tables
from tests.builders.tables.planted_noise import planted_noise


def refined(root: str, seed: int = 0) -> tuple[Refinement, dict[str, tuple[str, int | None]]]:
    """The refinement of the world of a seed, with one test set, and each key's kind and person."""
    w = planted_noise(seed)
    photos, faces, embeddings = tables(root, w.rows)
    t_faces, t_embeddings = tables(root, w.test_rows, source="t")[1:]
    noise = find(root, faces, [embeddings], tests=[(t_faces, [t_embeddings])])
    found = label(root, photos, noise, undecided="keep", min_faces=2)
    made = Refinement(
        photos,
        faces,
        (embeddings,),
        **noise._asdict(),
        **found._asdict(),
        test_faces=(t_faces,),
        options=RefineOptions(aligned=True),
    )
    return publish(root, made), w.truth
