"""Questions whose answer is known, and a random sample of what is kept.

Gold tells how far an annotator can be trusted: a sure face of the person, or a sure face of somebody else, among the
suspects, in nothing unlike them. The audit says how much noise is left where nobody looked: photos are drawn from all
that stay, whatever the machine thinks of them.
"""

from collections.abc import Collection, Iterable, Mapping
from heapq import nsmallest
from typing import Any, NamedTuple

import pyarrow as pa
from scipy.stats import binomtest

from pipeline.refined.latest import Refinement
from pipeline.review.album import SHOWN, Place
from pipeline.review.cases import Case
from pipeline.review.questions import GRID, Verdict
from pipeline.schema import digest, finding_id

ONE_IN = 10  # cells of a grid, gold questions
WORDS = "drawn at random"


def gold_for(page: Place, cells: int, sure: Mapping[Place, list[str]]) -> Case | None:
    """A gold question for a page of so many cells, or none: about one in ONE_IN of all cells, by a hash of the page.

    sure: the surest faces of groups, those after the first SHOWN not being shown.
    """
    name = page[0]
    chance = int(digest("gold", name), 16)
    spare = sure.get(page, [])[SHOWN:]
    if chance % ONE_IN >= cells or not spare:
        return None
    others = sorted(p for p, faces in sure.items() if p[0] != name and faces)
    stranger = (chance // ONE_IN) % 2 == 1 and bool(others)
    face = sure[others[chance // (2 * ONE_IN) % len(others)]][0] if stranger else spare[0]
    expected: Verdict = "yes" if stranger else "no"  # said of "this face is an outlier"
    about = {"finding_id": finding_id("gold", face, name), "kind": "outlier", "subject": face, "object": name,
             "face": face, "other": None}  # fmt: skip
    return Case(about, GRID, name, "unsure", WORDS, 0.0, 0, "no", "gold", expected)


def audit(done: Refinement, photos: int) -> list[Case]:
    """Photos that stay, drawn at random without replacement, as questions; the same sample for the same labels."""
    address = done.tables["labels"].address
    drawn = nsmallest(photos, ((digest("audit", address, r["face_id"]), r["face_id"], r) for r in _kept(done)))
    return [_audited(row) for _, _, row in drawn]


def _kept(done: Refinement) -> Iterable[dict[str, Any]]:
    for rows in done.tables["labels"].batches(["face_id", "claimed", "identity", "reason"]):
        yield from rows.filter(rows["identity"].is_valid()).to_pylist()


def _audited(row: Mapping[str, Any]) -> Case:
    """Is this photo the person whose name it is kept under? Where it came from elsewhere, that is what was found."""
    moved = row["reason"] == "misplaced"
    kind, other = ("misplaced", row["identity"]) if moved else ("outlier", row["claimed"])
    found = finding_id(kind, row["face_id"], other)
    about = {"finding_id": found, "kind": kind, "subject": row["face_id"], "object": other, "face": row["face_id"],
             "other": None}  # fmt: skip
    return Case(about, GRID, row["identity"], "unsure", WORDS, 0.0, 1, "yes" if moved else "no", "audit")


class Audit(NamedTuple):
    """What a random sample says of the noise that is left: wrong of judged, and the 95% Wilson interval."""

    judged: int
    wrong: int
    low: float
    high: float


def estimate(sample: Collection[str], wrong_when: Mapping[str, str], verdicts: pa.Table) -> Audit | None:
    """The share of wrong photos in a sample that people judged; None before anybody did.

    sample: finding ids of one audit; wrong_when: the verdict that says "not this person" of each; verdicts: columns as
    ANSWERS. A sample is drawn before its own answers are acted upon, so what they mend is still counted as noise.
    """
    said = dict(zip(*(verdicts[c].to_pylist() for c in ("finding_id", "verdict")), strict=True))
    judged = [f for f in sample if said.get(f) in ("yes", "no")]
    if not judged:
        return None
    wrong = sum(said[f] == wrong_when[f] for f in judged)
    low, high = binomtest(wrong, len(judged)).proportion_ci(0.95, method="wilson")
    return Audit(len(judged), wrong, float(low), float(high))
