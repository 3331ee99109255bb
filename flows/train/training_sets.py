"""The data sets that a comparison trains on, as manifests the trainer can read: before, after, and as few at random."""

from pathlib import Path

from pipeline.errors import UserError
from pipeline.refined import shuffle
from pipeline.refined.comparison_sets import as_claimed, random_subset
from pipeline.refinement import Refinement
from pipeline.tables.build import Workers
from pipeline.tables.table import Table

ARMS = ("before", "after", "random")


def arms(root: str, done: Refinement, *, seed: int, workers: Workers = None) -> dict[str, Path]:
    """The manifest of each arm's refined table; seed: which photos the random arm loses.

    Raises UserError when the root is no folder: a trainer reads from a disk.
    """
    photos, faces, labels = done.photos, done.faces, done.labels
    claims = as_claimed(root, photos, faces, workers=workers)
    chance = random_subset(root, claims, keep=int(done.account.kept), seed=seed, workers=workers)
    named = zip(ARMS, (claims, labels, chance), strict=True)
    return {name: manifest(root, table, faces, workers=workers) for name, table in named}


def manifest(root: str, labels: Table, faces: Table, *, workers: Workers = None) -> Path:
    """The manifest of the refined table that labels make of faces, in a shuffled order."""
    if "://" in root:
        raise UserError(f"training reads from a disk, and {root} is none: export the data set to a folder first")
    who = shuffle.identities(root, labels, workers=workers)
    table = shuffle.refined(root, labels, faces, who, workers=workers)
    return Path(root).absolute() / table.name / f"{table.address}.json"
