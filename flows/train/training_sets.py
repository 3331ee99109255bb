"""Training sets of an experiment: the photos before refining, after it, and a random subset as large as after.

The trainer reads a training set from the manifest of a refined table, so a training set here is a manifest's path.
"""

from pathlib import Path

from pipeline.errors import UserError
from pipeline.refined import shuffle
from pipeline.refined.comparison_sets import as_claimed, random_subset
from pipeline.refinement import Refinement
from pipeline.tables.build import Workers
from pipeline.tables.table import Table

ARMS = ("before", "after", "random")  # the training sets that an experiment compares, as the arms of a trial


def build_compared_sets(root: str, refinement: Refinement, *, seed: int, workers: Workers = None) -> dict[str, Path]:
    """The manifest of each arm's training set; seed: of the choice of the random arm's photos.

    Raises UserError where the root is not a folder, the only place from which the trainer reads.
    """
    claims = as_claimed(root, refinement.photos, refinement.faces, workers=workers)
    random = random_subset(root, claims, keep=int(refinement.account.kept), seed=seed, workers=workers)
    labels_of_arms = zip(ARMS, (claims, refinement.labels, random), strict=True)
    return {arm: build_training_set(root, labels, refinement.faces, workers=workers) for arm, labels in labels_of_arms}


def build_training_set(root: str, labels: Table, faces: Table, *, workers: Workers = None) -> Path:
    """The manifest of the refined table of these labels and faces, in a shuffled order.

    Raises UserError where the root is not a folder.
    """
    if "://" in root:
        raise UserError(f"training reads from a folder, and {root} is none: export the data set to a folder first")
    identities = shuffle.identities(root, labels, workers=workers)
    table = shuffle.refined(root, labels, faces, identities, workers=workers)
    return Path(root).absolute() / table.name / f"{table.address}.json"
