"""Questions whose answer is known, and a random sample of what is kept.

Gold tells how far an annotator can be trusted: a sure face of the person, or a sure face of somebody else, among the
suspects, in nothing unlike them. The audit says how much noise is left where nobody looked: photos are drawn from all
that stay, whatever the machine thinks of them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Any, NamedTuple

import pyarrow as pa
from scipy.stats import binomtest

from pipeline.refinement import Refinement
from pipeline.review.answers.question_log import verdict
from pipeline.review.questions.cases import Case
from pipeline.review.questions.exemplars import SHOWN, Place
from pipeline.review.questions.question import GRID, Verdict
from pipeline.schema import digest, finding_id
from pipeline.tables import storage

ONE_IN = 10  # cells of a grid, gold questions
KEPT = 0.98  # the belief in a photo that was kept
WORDS = "drawn at random"
FILE = "asked/audit.json"


def gold_for(
    page: Place, cells: Sequence[Case], sure: Mapping[Place, list[str]], alike: Collection[str] = ()
) -> Case | None:
    """A gold question for a page of these cells, or none: about one in ONE_IN of all cells, by a hash of the page.

    sure: the surest faces of groups, those after the first SHOWN not being shown; alike: names that may be the same
    person as the page's, from which no stranger is taken.
    """
    name = page[0]
    chance = int(digest("gold", name, *sorted(c.about["finding_id"] for c in cells)), 16)
    spare = sure.get(page, [])[SHOWN:]
    if chance % ONE_IN >= len(cells) or not spare:
        return None
    others = sorted(p for p, faces in sure.items() if p[0] != name and p[1] == 0 and p[0] not in alike and faces)
    stranger = (chance // ONE_IN) % 2 == 1 and bool(others)
    face = sure[others[chance // (2 * ONE_IN) % len(others)]][0] if stranger else spare[0]
    expected: Verdict = "yes" if stranger else "no"  # said of "this face is an outlier"
    about = {
        "finding_id": finding_id("gold", face, name),
        "kind": "outlier",
        "subject": face,
        "object": name,
        "face": face,
        "other": None,
    }
    return Case(about, GRID, name, "unsure", WORDS, 0.0, 0, "no", 0.5, "gold", expected)


def audit(done: Refinement, photos: int) -> list[Case]:
    """Photos that stay, drawn at random without replacement, as questions; the same sample for the same labels."""
    address = done.labels.address
    drawn = nsmallest(photos, ((digest("audit", address, r["face_id"]), r["face_id"], r) for r in _kept(done)))
    return [_audited(row) for _, _, row in drawn]


def _kept(done: Refinement) -> Iterable[dict[str, Any]]:
    for rows in done.labels.batches(["face_id", "claimed", "identity", "reason"]):
        yield from rows.filter(rows["identity"].is_valid()).to_pylist()


def _audited(row: Mapping[str, Any]) -> Case:
    """Is this photo the person whose name it is kept under? Where it came from elsewhere, that is what was found."""
    moved = row["reason"] == "misplaced"
    kind, other = ("misplaced", row["identity"]) if moved else ("outlier", row["claimed"])
    found = finding_id(kind, row["face_id"], other)
    about = {
        "finding_id": found,
        "kind": kind,
        "subject": row["face_id"],
        "object": other,
        "face": row["face_id"],
        "other": None,
    }
    return _question(about, row["identity"], "yes" if moved else "no")


def asked_before(said: pa.Table, wanted: Collection[str]) -> list[Case]:
    """The audit's questions among these findings, as the ledger tells them: said, rows as in the ledger."""
    rows = {r["finding_id"]: r for r in said.to_pylist() if r["purpose"] == "audit" and r["finding_id"] in wanted}
    columns = ("finding_id", "kind", "subject", "object", "face", "other")
    return [
        _question({c: row[c] for c in columns}, row["object"], "yes" if row["kind"] == "misplaced" else "no")
        for row in rows.values()
        if row["kind"] in ("outlier", "misplaced")
    ]


def _question(about: dict[str, Any], identity: str, same_means: str) -> Case:
    """An audited photo: the machine holds it to be right, or it would not be kept."""
    belief = KEPT if same_means == "yes" else 1 - KEPT
    return Case(about, GRID, identity, "unsure", WORDS, 0.0, 1, same_means, belief, "audit")


class Sample(NamedTuple):
    """An audit: the labels it was drawn from, how many photos were asked for, and the questions."""

    labels: str
    photos: int
    cases: list[Case]

    @property
    def wrong_when(self) -> dict[str, str]:
        """For each question the verdict that says "not this person"."""
        return {c.about["finding_id"]: verdict("other", c.same_means) for c in self.cases}


def in_force(root: str) -> Sample:
    """The last audit that was drawn; an empty one before any."""
    kept = storage.get_json(root, FILE) or {"labels": "", "photos": 0, "cases": []}
    return Sample(kept["labels"], kept["photos"], [_question(*row) for row in kept["cases"]])


def renewed(root: str, done: Refinement, photos: int, decided: Collection[str]) -> Sample:
    """The audit in force; a new one when the last is answered and the labels are others since, or more is wanted.

    decided: findings about which people have said all they will say.
    """
    now = in_force(root)
    address = done.labels.address
    if (address == now.labels and photos <= now.photos) or not set(now.wrong_when) <= set(decided):
        return now
    made = Sample(address, photos, audit(done, photos))
    rows = [[c.about, c.identity, c.same_means] for c in made.cases]
    storage.put_json(root, FILE, {"labels": address, "photos": photos, "cases": rows})
    return made


class Audit(NamedTuple):
    """What a random sample says of the noise that is left: wrong of judged, and the 95% Wilson interval."""

    judged: int
    wrong: int
    low: float
    high: float


def estimate(wrong_when: Mapping[str, str], verdicts: pa.Table) -> Audit | None:
    """The share of wrong photos in a sample that people judged; None before anybody did.

    wrong_when: for each finding of the sample the verdict that says "not this person"; verdicts: columns as ANSWERS.
    A sample is drawn before its own answers are acted upon, so what they mend is still counted as noise.
    """
    said = dict(zip(*(verdicts[c].to_pylist() for c in ("finding_id", "verdict")), strict=True))
    judged = [f for f in wrong_when if said.get(f) in ("yes", "no")]
    if not judged:
        return None
    wrong = sum(said[f] == wrong_when[f] for f in judged)
    low, high = binomtest(wrong, len(judged)).proportion_ci(0.95, method="wilson")
    return Audit(len(judged), wrong, float(low), float(high))
