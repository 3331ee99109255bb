"""The refinement of a drawn world, as commands and pages read it."""

from pipeline.noise import stages
from pipeline.refined.labels import label
from pipeline.refinement import Refinement, RefineOptions, publish
from pipeline.tables.table import Table


def publish_drawn(photos: Table, faces: Table, embeddings: Table) -> Refinement:
    """The refinement of drawn embeddings, published in their root; no model runs for it."""
    root = photos.root
    noise = stages.find_noise(root, faces, [embeddings])
    labelling = label(root, photos, noise, undecided="keep", min_faces=2)
    made = Refinement(photos, faces, (embeddings,), **noise._asdict(), **labelling._asdict(), options=RefineOptions())
    return publish(root, made)
