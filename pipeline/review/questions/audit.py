"""The audit: a random sample of the kept photos, which says how much noise is left where nobody looked.

Photos are drawn from all that are kept, whatever the machine thinks of them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import nsmallest
from typing import NamedTuple

import pyarrow as pa
from scipy.stats import binomtest

from pipeline.refined.review_summary import NoiseEstimate
from pipeline.refinement import Refinement
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.questions.case import Case
from pipeline.review.questions.explanations import DRAWN_AT_RANDOM
from pipeline.review.questions.finding_ref import REF_COLUMNS, FindingRef, finding_ref
from pipeline.review.questions.question import GRID, Verdict, verdict_of
from pipeline.schema import digest
from pipeline.tables import storage

KEPT_BELIEF = 0.98  # that a kept photo is right
FILE = "asked/audit.json"


class AuditSample(NamedTuple):
    """An audit: the labels that it was drawn from, how many photos were asked for, and a case for each one drawn."""

    labels: str  # the table's address
    photos: int
    cases: list[Case]

    @property
    def wrong_verdicts(self) -> dict[str, Verdict]:
        """For each case's finding_id the verdict that says "not this person"."""
        return {c.id: verdict_of("other", c.same_means) for c in self.cases}


def draw_audit(refinement: Refinement, photos: int) -> list[Case]:
    """Kept photos, drawn at random without replacement, as cases; the same sample for the same labels."""
    address = refinement.labels.address
    drawn = nsmallest(photos, ((digest("audit", address, row[0]), row) for row in _kept_photos(refinement)))
    return [_case_of_photo(*row) for _, row in drawn]


def _kept_photos(refinement: Refinement) -> Iterator[tuple[str, str, str, str]]:
    """face_id, claimed identity, identity and reason of each photo that is kept."""
    columns = ["face_id", "claimed", "identity", "reason"]
    for rows in refinement.labels.batches(columns):
        rows = rows.filter(rows["identity"].is_valid())
        yield from zip(*(rows[c].to_pylist() for c in columns), strict=True)


def _case_of_photo(face: str, claimed: str, identity: str, reason: str) -> Case:
    """Does this photo show the person of the identity that it is kept under? A moved one was a misplaced finding."""
    kind, named = ("misplaced", identity) if reason == "misplaced" else ("outlier", claimed)
    return _audit_case(finding_ref(kind, face, named, {}), identity)


def _audit_case(ref: FindingRef, identity: str, same_means: str | None = None) -> Case:
    """The case of an audited photo: the machine takes it to be right, or it would not be kept."""
    same_means = same_means or ("yes" if ref.kind == "misplaced" else "no")
    belief = KEPT_BELIEF if same_means == "yes" else 1 - KEPT_BELIEF
    return Case(
        ref, GRID, identity, "unsure", DRAWN_AT_RANDOM, 0.0, 1, belief=belief, same_means=same_means, purpose="audit"
    )


def audited_before(ledger: Iterable[LedgerRow], wanted: Collection[str]) -> list[Case]:
    """The cases of earlier audits among these finding_ids, as the ledger has them."""
    refs = {row.finding.finding_id: row.finding for row in ledger if row.purpose == "audit"}
    askable = [ref for ref in refs.values() if ref.finding_id in wanted and ref.kind in ("outlier", "misplaced")]
    return [_audit_case(ref, ref.object or "") for ref in askable]


def current_audit(root: str) -> AuditSample:
    """The last audit that was drawn; an empty one before any."""
    stored = storage.get_json(root, FILE) or {"labels": "", "photos": 0, "cases": []}
    cases = [
        _audit_case(FindingRef(*(ref[c] for c in REF_COLUMNS)), identity, same_means)
        for ref, identity, same_means in stored["cases"]
    ]
    return AuditSample(stored["labels"], stored["photos"], cases)


def renew_audit(refinement: Refinement, photos: int, settled: Collection[str]) -> AuditSample:
    """The current audit; a new one when the last is answered and the labels are others since, or more is wanted.

    settled: finding_ids about which people have said all they will say.
    """
    root, address = refinement.root, refinement.labels.address
    current = current_audit(root)
    if (address == current.labels and photos <= current.photos) or not set(current.wrong_verdicts) <= set(settled):
        return current
    sample = AuditSample(address, photos, draw_audit(refinement, photos))
    rows = [[c.finding.columns(), c.identity, c.same_means] for c in sample.cases]
    storage.put_json(root, FILE, {"labels": address, "photos": photos, "cases": rows})
    return sample


def estimate_noise(wrong_verdicts: Mapping[str, str], verdicts: pa.Table) -> NoiseEstimate | None:
    """The share of wrong photos in a sample that people judged; None before anybody did.

    wrong_verdicts: for each finding of the sample the verdict that says "not this person"; verdicts: people's, columns
    as ANSWERS. A sample is drawn before its own answers change any label, so what they correct still counts as noise.
    """
    verdict_of_finding = dict(zip(*(verdicts[c].to_pylist() for c in ("finding_id", "verdict")), strict=True))
    judged = [f for f in wrong_verdicts if verdict_of_finding.get(f) in ("yes", "no")]
    if not judged:
        return None
    wrong = sum(verdict_of_finding[f] == wrong_verdicts[f] for f in judged)
    low, high = binomtest(wrong, len(judged)).proportion_ci(0.95, method="wilson")
    return NoiseEstimate(len(judged), wrong, float(low), float(high))
