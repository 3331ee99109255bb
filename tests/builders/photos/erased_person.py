"""The person who is erased from the small drawn world: what is known of the person's photos."""

import csv
from pathlib import Path

from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.small_world import fates

REASON = "request of 2026-11-29"
MODELS = {"detector": str(DETECTOR), "embedder": str(EMBEDDER)}
NAME_OF_TWO = "m.5185901"  # an identity whose person has another identity, too


def truth(photos: Path) -> list[dict[str, str]]:
    with open(photos.parent / "truth.tsv", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def named(root: Path) -> list[str]:
    """The photos that are kept under the identity whose person has a second identity, too."""
    return [key for key, (identity, _) in fates(root).items() if identity and key.startswith(f"{NAME_OF_TWO}/")]


def face_of(root: Path, key: str) -> str:
    rows = latest(str(root)).labels.read(["face_id", "key"]).to_pylist()
    return next(r["face_id"] for r in rows if r["key"] == key)
