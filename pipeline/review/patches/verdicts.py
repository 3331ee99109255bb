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

from pipeline.refined.patches.statements import NO_PERSON, NOTHING, OVERLAP, SHOWS
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
    is_split: bool  # kept as the second person of its identity, who is one in this copy as well
    stated: int
    target: str


class _MachineFindings(NamedTuple):
    """The faces that a finding of the machine says do not show their claimed identity; identities without a person."""

    faces: set[str]
    mixed: set[str]


class _Verdicts:
    """Collects the verdicts photo by photo; what is said about identities follows at the end."""

    def __init__(self, refinement: Refinement, of_copy: CopyStatements, names: Sequence[str]) -> None:
        self.medoids = read_medoids(refinement)
        self.machine = _machine_findings(refinement)
        self.of_copy, self.names = of_copy, names
        self.verdicts: list[ListVerdict] = []
        self.removed = 0  # photos that are kept now, and that the verdicts remove
        self.shown, self.overlaps, self.kept = Counter[str](), Counter[str](), Counter[str]()
        self.mixed: set[str] = set()
        self.first_face: dict[str, str] = {}  # of identities with a second person, a face that shows the first one
        self.second_faces: dict[int, str] = {}  # by row, of the second persons
        self.with_second = {names[identity] for identity in of_copy.split}

    def add(self, photo: _Photo) -> None:
        """Add what is said about a photo."""
        self.kept[photo.claimed] += photo.is_kept
        if photo.stated == OVERLAP:
            self.overlaps[photo.claimed] += 1
        elif photo.stated == NO_PERSON and photo.claimed in self.machine.mixed:
            self.mixed.add(photo.claimed)
            self.removed += photo.is_kept
        elif photo.stated == SHOWS and photo.target == photo.claimed:
            self.shown[photo.claimed] += 1
            if photo.claimed in self.with_second:
                self.first_face.setdefault(photo.claimed, photo.face_id)
            if photo.face_id in self.machine.faces:
                self._say("no", "outlier", photo.face_id, photo.claimed)
        else:
            self._say("yes", "outlier", photo.face_id, photo.claimed)
            self.removed += photo.is_kept and not photo.is_split and not photo.target
            if photo.target:
                self._say("yes", "misplaced", photo.face_id, photo.target)
            self.second_faces[photo.row] = photo.face_id if photo.claimed in self.with_second else ""

    def finish(self) -> None:
        """Add what is said about identities."""
        for identity in sorted(self.mixed):
            self._say("yes", "mixed", identity, None)
        for one, two in _merged_pairs(self.of_copy.merged, self.names):
            self._say("yes", "merge", one, two)
        for identity_code, rows in sorted(self.of_copy.split.items()):
            first = self.first_face.get(self.names[identity_code])
            for row in rows[:MAX_SPLITS] if first else ():
                self._say("yes", "split", str(first), self.second_faces[row])
        for name in sorted(name for name, photos in self.overlaps.items() if photos > self.shown[name]):
            self._say("yes", "overlap", name, OVERLAP_SOURCE)
            self.removed += self.kept[name]

    def _say(self, verdict: str, kind: str, subject: str, object: str | None) -> None:
        self.verdicts.append(ListVerdict(finding_ref(kind, subject, object, self.medoids), verdict))


def photo_verdicts(
    refinement: Refinement, of_copy: CopyStatements, names: Sequence[str]
) -> tuple[list[ListVerdict], int]:
    """The verdicts, and how many photos they remove that are kept now. names: of the copy's identities."""
    verdicts = _Verdicts(refinement, of_copy, names)
    for photo in _photos(refinement, of_copy, names):
        verdicts.add(photo)
    verdicts.finish()
    return verdicts.verdicts, verdicts.removed


def _photos(refinement: Refinement, of_copy: CopyStatements, names: Sequence[str]) -> Iterator[_Photo]:
    """The photos about which a patch states something, shard by shard."""
    start = 0
    for rows in refinement.labels.batches(["face_id", "claimed", "identity", "reason"]):
        stated = of_copy.stated[start : start + len(rows)]
        target = of_copy.target[start : start + len(rows)]
        faces, claimed = (rows[c].to_pylist() for c in ("face_id", "claimed"))
        kept, split = rows["identity"].is_valid().to_pylist(), pc.equal(rows["reason"], "split").to_pylist()
        for i in (stated != NOTHING).nonzero()[0].tolist():
            shows = int(target[i]) if stated[i] == SHOWS else -1
            name = names[shows] if shows >= 0 else ""
            yield _Photo(start + i, faces[i], claimed[i], kept[i], split[i], int(stated[i]), name)
        start += len(rows)


def _machine_findings(refinement: Refinement) -> _MachineFindings:
    found = _MachineFindings(set(), set())
    for rows in refinement.findings.batches(["kind", "subject"]):
        found.faces.update(rows["subject"].filter(pc.is_in(rows["kind"], value_set=AGAINST)).to_pylist())
        found.mixed.update(rows["subject"].filter(pc.equal(rows["kind"], "mixed")).to_pylist())
    return found


def _merged_pairs(groups: Sequence[Sequence[int]], names: Sequence[str]) -> list[tuple[str, str]]:
    """All pairs within each group of identities that are one person, in order; by name."""
    pairs: set[tuple[str, str]] = set()
    for group in groups:
        pairs.update(combinations(sorted(names[i] for i in group), 2) if len(group) <= MAX_MERGED else ())
    return sorted(pairs)
