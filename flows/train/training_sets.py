"""The data sets that trainings are compared on: the photos before refining, after it, and as few left at random.

A trainer reads a training set from the manifest of a refined table, so a training set here is the manifest's path.
"""

from pathlib import Path

from pipeline.errors import UserError
from pipeline.refined import shuffle
from pipeline.refined.comparison_sets import as_claimed, random_subset
from pipeline.refinement import Refinement
from pipeline.tables.build import Workers
from pipeline.tables.table import Table

ARMS = ("before", "after", "random")  # as in a trial: what is compared, each trained with the same recipe


def build_compared_sets(root: str, refinement: Refinement, *, seed: int, workers: Workers = None) -> dict[str, Path]:
    """The manifest of each arm's training set; seed: which photos the random arm loses.

    Raises UserError when the root is no folder: a trainer reads from a disk.
    """
    claims = as_claimed(root, refinement.photos, refinement.faces, workers=workers)
    random = random_subset(root, claims, keep=int(refinement.account.kept), seed=seed, workers=workers)
    labels_of_arms = zip(ARMS, (claims, refinement.labels, random), strict=True)
    return {arm: build_training_set(root, labels, refinement.faces, workers=workers) for arm, labels in labels_of_arms}


def build_training_set(root: str, labels: Table, faces: Table, *, workers: Workers = None) -> Path:
    """The manifest of the refined table that labels make of faces, in a shuffled order."""
    if "://" in root:
        raise UserError(f"training reads from a disk, and {root} is none: export the data set to a folder first")
    identities = shuffle.identities(root, labels, workers=workers)
    table = shuffle.refined(root, labels, faces, identities, workers=workers)
    return Path(root).absolute() / table.name / f"{table.address}.json"
