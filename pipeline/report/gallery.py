"""The findings that the report shows with their faces.

They are a few of each kind, half of which are the most uncertain ones (belief nearest to one half) and half arbitrary;
and the photos removed as outliers that are most likely to be correct.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.noise.findings import Finding, read_findings
from pipeline.noise.scores.fusion import Calibration
from pipeline.noise.scores.score_norm import Floats
from pipeline.refinement import Refinement
from pipeline.report.face_sides import FindingSides, Side, sides_of_findings
from pipeline.report.photos.shown_photos import ShownPhoto, shown_photos
from pipeline.report.photos.thumbnails import thumbnails
from pipeline.report.photos.whole_photos import whole_photos
from pipeline.review.questions.belief import finding_beliefs, genuine_scores

DOUBTFUL_REMOVALS = 24  # how many removed photos that may be correct are shown


class GalleryEntry(NamedTuple):
    """A finding as the report shows it."""

    kind: str
    verdict: str  # yes, no or unsure
    decided_by: str  # in words
    names: tuple[str, ...]  # of the identities and persons that the finding is about
    evidence: str
    belief: float  # the machine's probability that the finding holds
    sides: tuple[Side, ...]


class Gallery(NamedTuple):
    """The findings that are shown, the removed photos that may be correct, the counts of all findings, the pictures."""

    entries: list[GalleryEntry]
    counts: dict[tuple[str, str], int]  # of all findings, by kind and verdict
    doubtful_removals: list[GalleryEntry]
    expected_correct: float  # the number of photos removed as outliers that are expected to be correct
    pictures: dict[str, str]  # by face_id: a data address that holds the picture
    photos: dict[str, ShownPhoto]  # by face_id
    decided_photos: dict[str, int]  # by kind: photos that were removed or relabelled because of such a finding
    whole_photos: Mapping[str, str] = MappingProxyType({})  # by face_id: a data address of the photo, its faces boxed


def build_gallery(
    refinement: Refinement, calibration: Calibration, *, per_kind: int, max_bytes: int, photo_bytes: int = 0
) -> Gallery:
    """The gallery of a refinement; per_kind: findings of each kind; max_bytes: of all pictures of faces together;
    photo_bytes: of all whole photos."""
    findings = refinement.judged_findings.read()
    decisions = refinement.decisions.read(["verdict", "who"])
    verdicts = np.asarray(decisions["verdict"].to_numpy(), object)
    genuine = genuine_scores(refinement, calibration)
    belief = finding_beliefs(findings, verdicts, calibration, genuine, persons=len(refinement.persons))
    removed = _removed_as_outlier(refinement, findings)
    shown = _chosen(np.asarray(findings["kind"].to_numpy(), object), belief, per_kind)
    doubtful = [i for i in np.argsort(belief, kind="stable").tolist() if removed[i]][:DOUBTFUL_REMOVALS]
    rows = sorted({*shown, *doubtful})
    records = dict(zip(rows, read_findings(findings.take(pa.array(rows, pa.int64()))), strict=True))
    sides = sides_of_findings(refinement, list(records.values()))
    decided_by = decisions["who"].to_pylist()
    entries = {
        i: _entry(finding, str(verdicts[i]), decided_by[i], float(belief[i]), sides[finding.finding_id])
        for i, finding in records.items()
    }
    shown_entries, doubtful_entries = [entries[i] for i in shown], [entries[i] for i in doubtful]
    every_face = {f for e in entries.values() for side in e.sides for f in side.faces}
    faces = [f for e in _kinds_in_turn([*shown_entries, *doubtful_entries]) for side in e.sides for f in side.faces]
    return Gallery(
        shown_entries,
        dict(Counter(zip(findings["kind"].to_pylist(), verdicts.tolist(), strict=True))),
        doubtful_entries,
        float((1 - belief[removed]).sum()),
        thumbnails([refinement], faces, max_bytes=max_bytes),
        shown_photos(refinement, every_face),
        _decided_photos(refinement, findings),
        whole_photos(refinement, faces, max_bytes=photo_bytes),
    )


def _decided_photos(refinement: Refinement, findings: pa.Table) -> dict[str, int]:
    """By kind of finding how many photos were removed or relabelled because of one."""
    kind_of = dict(zip(findings["finding_id"].to_pylist(), findings["kind"].to_pylist(), strict=True))
    photos: Counter[str] = Counter()
    columns = ("claimed", "identity", "finding_id")
    for labels in refinement.labels.batches(columns):
        for claimed, identity, finding in zip(*(labels[c].to_pylist() for c in columns), strict=True):
            if finding in kind_of and (identity is None or identity != claimed):
                photos[kind_of[finding]] += 1
    return dict(photos)


def _entry(finding: Finding, verdict: str, who: str, belief: float, sides: FindingSides) -> GalleryEntry:
    decided_by = "the policy" if who == "policy" else "people or a list"
    evidence = in_the_pages_words(finding.evidence or "")
    return GalleryEntry(finding.kind, verdict, decided_by, sides.names, evidence, belief, sides.sides)


def in_the_pages_words(evidence: str) -> str:
    """The evidence of a finding in the words of the page; who said something is not shown.

    Tables call a score likeness and a cluster group; in the page a group is one of people.
    """
    if evidence.startswith("said by "):
        return "said by people"
    return re.sub(r"\blikeness\b", "score", re.sub(r"\bgroup\b", "cluster", evidence))


def _removed_as_outlier(refinement: Refinement, findings: pa.Table) -> NDArray[np.bool_]:
    """Mask [n] of the findings because of which a photo was removed as an outlier."""
    ids = set[str]()
    for labels in refinement.labels.batches(["identity", "reason", "finding_id"]):
        removed = pc.and_(labels["identity"].is_null(), pc.equal(labels["reason"], "outlier"))
        ids.update(labels.filter(removed)["finding_id"].drop_null().to_pylist())
    return np.array([f in ids for f in findings["finding_id"].to_pylist()], bool)


def _chosen(kinds: NDArray[np.object_], belief: Floats, per_kind: int) -> list[int]:
    """The rows of the findings to show: of each kind half the most uncertain, half the first by id, which is arbitrary.

    kinds, belief [n]: of all findings.
    """
    chosen = []
    for kind in sorted(set(kinds.tolist())):
        rows = np.flatnonzero(kinds == kind)
        by_uncertainty = rows[np.argsort(np.abs(belief[rows] - 0.5), kind="stable")]
        uncertain = by_uncertainty[: per_kind - per_kind // 2].tolist()
        arbitrary = [i for i in rows.tolist() if i not in set(uncertain)]
        chosen += [*uncertain, *arbitrary[: per_kind - len(uncertain)]]
    return chosen


def _kinds_in_turn(entries: Sequence[GalleryEntry]) -> Iterable[GalleryEntry]:
    """The entries in turns: one of each kind, then a second of each; so no kind uses the whole budget for pictures."""
    counts: dict[str, int] = defaultdict(int)
    order = []
    for entry in entries:
        counts[entry.kind] += 1
        order.append((counts[entry.kind], entry))
    return [entry for _, entry in sorted(order, key=lambda o: o[0])]
