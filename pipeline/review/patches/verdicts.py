"""The verdicts on findings that follow from what a patch states about the photos of a copy.

A photo that shows its claimed identity gets the verdict "no" only where the refinement has a finding against it: any
other photo is kept without one, and a ledger should not name every photo. Findings do not depend on the ledger, so
the same patch gives the same verdicts again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refined.patches.statements import NOT_CLAIMED, NOTHING, OVERLAP, SHOWS
from pipeline.refinement import Refinement
from pipeline.review.answers.lists import ListVerdict
from pipeline.review.patches.copy_statements import CopyStatements
from pipeline.review.questions.finding_ref import finding_ref
from pipeline.review.questions.persons import read_medoids

OVERLAP_SOURCE = "a patch"  # the object of its overlap findings
MAX_MERGED = 30  # identities of one person in a patch; pairs of more are not made
MAX_SPLITS = 3  # photos of an identity's second person by which the split is recognised
AGAINST = pa.array(["outlier", "misplaced"])  # kinds of findings that the verdict "no" on an outlier answers


class _Photo(NamedTuple):
    """A photo of the copy about which a patch states something; target: the identity that it shows, "": none here."""

    row: int
    face_id: str
    claimed: str
    is_kept: bool
    stated: int
    target: str


def photo_verdicts(
    refinement: Refinement, of_copy: CopyStatements, names: Sequence[str]
) -> tuple[list[ListVerdict], int]:
    """The verdicts, and how many photos they remove that are kept now. names: of the copy's identities."""
    medoids = read_medoids(refinement)
    doubted = _faces_with_findings(refinement)
    verdicts: list[ListVerdict] = []
    shown, overlaps, kept = Counter[str](), Counter[str](), Counter[str]()
    own_face: dict[str, str] = {}  # of identities with a second person, a face that shows the first one
    second_faces: dict[int, str] = {row: "" for rows in of_copy.split.values() for row in rows[:MAX_SPLITS]}
    with_second = {names[identity] for identity in of_copy.split}
    removed = 0
    for photo in _photos(refinement, of_copy, names):
        kept[photo.claimed] += photo.is_kept
        if photo.row in second_faces:
            second_faces[photo.row] = photo.face_id
        if photo.stated == OVERLAP:
            overlaps[photo.claimed] += 1
            continue
        outlier = finding_ref("outlier", photo.face_id, photo.claimed, medoids)
        if photo.stated == SHOWS and photo.target == photo.claimed:
            shown[photo.claimed] += 1
            if photo.claimed in with_second:
                own_face.setdefault(photo.claimed, photo.face_id)
            verdicts += [ListVerdict(outlier, "no")] if photo.face_id in doubted else []
            continue
        verdicts.append(ListVerdict(outlier, "yes"))
        if photo.target:
            verdicts.append(ListVerdict(finding_ref("misplaced", photo.face_id, photo.target, medoids), "yes"))
        removed += photo.is_kept and not photo.target
    for one, two in _merged_pairs(of_copy.merged, names):
        verdicts.append(ListVerdict(finding_ref("merge", one, two, medoids), "yes"))
    for identity, rows in sorted(of_copy.split.items()):
        for row in rows[:MAX_SPLITS] if names[identity] in own_face else ():
            finding = finding_ref("split", own_face[names[identity]], second_faces[row], medoids)
            verdicts.append(ListVerdict(finding, "yes"))
    gone = sorted(name for name, photos in overlaps.items() if photos > shown[name])
    verdicts += [ListVerdict(finding_ref("overlap", name, OVERLAP_SOURCE, medoids), "yes") for name in gone]
    return verdicts, removed + sum(kept[name] for name in gone)


def _photos(refinement: Refinement, of_copy: CopyStatements, names: Sequence[str]) -> Iterator[_Photo]:
    """The photos about which a patch states something, shard by shard."""
    start = 0
    for rows in refinement.labels.batches(["face_id", "claimed", "identity"]):
        stated = of_copy.stated[start : start + len(rows)]
        target = of_copy.target[start : start + len(rows)]
        faces, claimed = (rows[c].to_pylist() for c in ("face_id", "claimed"))
        kept = rows["identity"].is_valid().to_pylist()
        for i in (stated != NOTHING).nonzero()[0].tolist():
            shows = int(target[i]) if stated[i] != NOT_CLAIMED else -1
            name = names[shows] if shows >= 0 else ""
            yield _Photo(start + i, faces[i], claimed[i], kept[i], int(stated[i]), name)
        start += len(rows)


def _faces_with_findings(refinement: Refinement) -> set[str]:
    """The faces that a finding of the machine says do not show their claimed identity."""
    faces: set[str] = set()
    for rows in refinement.findings.batches(["kind", "subject"]):
        faces.update(rows["subject"].filter(pc.is_in(rows["kind"], value_set=AGAINST)).to_pylist())
    return faces


def _merged_pairs(groups: Sequence[Sequence[int]], names: Sequence[str]) -> list[tuple[str, str]]:
    """All pairs within each group of identities that are one person, in order; by name."""
    pairs: set[tuple[str, str]] = set()
    for group in groups:
        pairs.update(combinations(sorted(names[i] for i in group), 2) if len(group) <= MAX_MERGED else ())
    return sorted(pairs)
