"""The audit: people judge a random sample of all kept photos, from which the noise left in the data is estimated.

The sample does not depend on the scores of the photos, so the estimate also covers noise that no detector suspects.

Each draw is a file of its own in the ledger, ROOT/ledger/audits/<number>-<digest>.json: what a draw was decides what
its answers show, so whoever restores the ledger alone gets the same estimate.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from heapq import nsmallest
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.refined.review_summary import NoiseEstimate
from pipeline.refinement import Refinement
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.questions.case import Case
from pipeline.review.questions.explanations import DRAWN_AT_RANDOM
from pipeline.review.questions.finding_ref import REF_COLUMNS, FindingRef, finding_ref
from pipeline.review.questions.question import GRID, Verdict, verdict_of
from pipeline.schema import digest
from pipeline.tables import storage
from pipeline.tables.digests import content_digest

KEPT_BELIEF = 0.98  # the prior probability that a kept photo shows the person of its identity
FOLDER = "ledger/audits"
FORMER_FILE = "asked/audit.json"  # the last draw of earlier versions


class AuditSample(NamedTuple):
    """The sample of an audit: the labels it was drawn from, its wanted size, and a case for each photo drawn."""

    labels: str  # address of the labels table
    photos: int  # the wanted size; fewer are drawn when fewer are kept
    cases: list[Case]
    judged_before: frozenset[str] = frozenset()  # finding_ids of the sample that people had judged when it was drawn

    @property
    def wrong_verdicts(self) -> dict[str, Verdict]:
        """By finding_id the verdict that means "the photo does not show the person it is kept under"."""
        return {c.id: verdict_of("other", c.same_means) for c in self.cases}


def draw_audit(refinement: Refinement, photos: int) -> list[Case]:
    """Cases of kept photos, drawn at random without replacement; the same labels give the same sample."""
    address = refinement.labels.address
    drawn = nsmallest(photos, ((digest("audit", address, row[0]), row) for row in _kept_photos(refinement)))
    return [case_of_photo(*row) for _, row in drawn]


def _kept_photos(refinement: Refinement) -> Iterator[tuple[str, str, str, str]]:
    """face_id, claimed identity, identity and reason of each kept photo."""
    columns = ["face_id", "claimed", "identity", "reason"]
    for rows in refinement.labels.batches(columns):
        rows = rows.filter(rows["identity"].is_valid())
        yield from zip(*(rows[c].to_pylist() for c in columns), strict=True)


def case_of_photo(face: str, claimed: str, identity: str, reason: str) -> Case:
    """The case whether a photo shows the person it is kept under.

    Its finding is the misplaced one for a photo that was relabelled by it, else the outlier finding.
    """
    kind, person = ("misplaced", identity) if reason == "misplaced" else ("outlier", claimed)
    return _audit_case(finding_ref(kind, face, person, {}), identity)


def _audit_case(ref: FindingRef, identity: str, same_means: str | None = None) -> Case:
    """The case of an audited photo; the prior belief is that the photo is right, because the machine kept it."""
    same_means = same_means or ("yes" if ref.kind == "misplaced" else "no")
    belief = KEPT_BELIEF if same_means == "yes" else 1 - KEPT_BELIEF
    return Case(
        ref, GRID, identity, "unsure", DRAWN_AT_RANDOM, 0.0, 1, belief=belief, same_means=same_means, purpose="audit"
    )


def audited_before(ledger: Iterable[LedgerRow], wanted: Collection[str]) -> list[Case]:
    """The cases of audited photos, read back from answers in the ledger; wanted: their finding_ids."""
    refs = {row.finding.finding_id: row.finding for row in ledger if row.purpose == "audit"}
    askable = [ref for ref in refs.values() if ref.finding_id in wanted and ref.kind in ("outlier", "misplaced")]
    return [_audit_case(ref, ref.object or "") for ref in askable]


def current_audit(root: str) -> AuditSample:
    """The sample of the root's last audit; an empty sample when there was none.

    Raises UserError when its file is damaged.
    """
    drawn = _draws(root)
    if drawn:
        stored = _read_draw(root, drawn[-1])
    else:
        stored = storage.get_json(root, FORMER_FILE) or {"labels": "", "photos": 0, "cases": []}
    cases = [
        _audit_case(FindingRef(*(ref[c] for c in REF_COLUMNS)), identity, same_means)
        for ref, identity, same_means in stored["cases"]
    ]
    return AuditSample(stored["labels"], stored["photos"], cases, frozenset(stored.get("judged_before", ())))


def _draws(root: str) -> list[str]:
    """The files of all draws, the last one last."""
    return sorted(n for n in storage.list_files(root, FOLDER) if n.endswith(".json") and "/." not in n)


def _read_draw(root: str, name: str) -> dict[str, Any]:
    data = storage.get(root, name) or b""
    if content_digest(data) != name.removesuffix(".json").rpartition("-")[2]:
        raise UserError(f"{root}/{name} is damaged: put it back from a backup; it says which photos an audit drew")
    return dict(json.loads(data))


def renew_audit(refinement: Refinement, photos: int, settled: Collection[str]) -> AuditSample:
    """The sample of the current audit. A new one is drawn when all of the old one is settled and is out of date.

    It is out of date when the labels changed since, or when more photos are wanted now.
    settled: finding_ids on which people's answers give a verdict or stay in dispute.
    """
    root, address = refinement.root, refinement.labels.address
    current = current_audit(root)
    if (address == current.labels and photos <= current.photos) or not set(current.wrong_verdicts) <= set(settled):
        return current
    cases = draw_audit(refinement, photos)
    sample = AuditSample(address, photos, cases, frozenset(c.id for c in cases if c.id in settled))
    _keep_draw(root, sample)
    return sample


def _keep_draw(root: str, sample: AuditSample) -> None:
    """Add a draw to the ledger, numbered after those that are there."""
    rows = [[c.finding.columns(), c.identity, c.same_means] for c in sample.cases]
    of_draw = {"labels": sample.labels, "photos": sample.photos, "judged_before": sorted(sample.judged_before)}
    data = storage.json_bytes(of_draw | {"cases": rows})
    drawn = _draws(root)
    number = int(drawn[-1].rpartition("/")[2].partition("-")[0]) + 1 if drawn else 1
    storage.put(root, f"{FOLDER}/{number:06d}-{content_digest(data)}.json", data)


def estimate_noise(sample: AuditSample, verdicts: pa.Table) -> NoiseEstimate | None:
    """The share of wrong photos in an audited sample, with Wilson's 95% interval; None before people judged a photo.

    verdicts: people's, columns as ANSWERS. The sample is of the labels before these answers, so a photo that the
    answers corrected counts as wrong.
    Photos that were judged before the draw and are kept were mostly judged right, else they would not be kept. So they
    count only when all the others have a verdict: before that, too large a part of the judged photos would be right.
    """
    wrong_verdicts = sample.wrong_verdicts
    verdict_of_finding = dict(zip(*(verdicts[c].to_pylist() for c in ("finding_id", "verdict")), strict=True))
    new = wrong_verdicts.keys() - sample.judged_before
    counted = wrong_verdicts if verdict_of_finding.keys() >= new else new
    judged = [f for f in counted if verdict_of_finding.get(f) in ("yes", "no")]
    if not judged:
        return None
    from scipy.stats import binomtest  # takes half a second to load, and few commands come here

    wrong = sum(verdict_of_finding[f] == wrong_verdicts[f] for f in judged)
    low, high = binomtest(wrong, len(judged)).proportion_ci(0.95, method="wilson")
    return NoiseEstimate(len(judged), wrong, float(low), float(high))
