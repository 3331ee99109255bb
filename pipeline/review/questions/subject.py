"""What an answer is about, said so that it can be understood by any later run: who and what, and a face of either."""

from collections.abc import Mapping
from typing import Any

from pipeline.refinement import Refinement

FACES = {
    "outlier": (True, False),
    "misplaced": (True, False),
    "split": (True, True),
    "duplicate": (True, True),
    "conflict": (True, True),
    "poor": (True, False),
}  # which sides of a finding are faces already


def medoids(done: Refinement) -> dict[str, str]:
    """The middle face of each person of a refinement, by the person's name."""
    rows = done.persons.read(["person", "medoid"])
    return dict(zip(rows["person"].to_pylist(), rows["medoid"].to_pylist(), strict=True))


def about(finding: Mapping[str, Any], medoid: Mapping[str, str]) -> dict[str, Any]:
    """The id, kind, subject and object of a finding, and a face of each side: itself, or the person's middle one."""
    subject, other = finding["subject"], finding["object"]
    faces = FACES.get(finding["kind"], (False, False))
    return {
        "finding_id": finding["finding_id"],
        "kind": finding["kind"],
        "subject": subject,
        "object": other,
        "face": subject if faces[0] else medoid.get(subject, subject),
        "other": other if faces[1] else medoid.get(other or ""),
    }
