"""One photo: its score beside the thresholds, its findings and decisions in order, and how it got its fate."""

from dataclasses import dataclass

import numpy as np

from pipeline.browse.finding_index import ShownFinding
from pipeline.browse.pages.fate_words import FateWords, fate_in_words
from pipeline.browse.pages.history import Event, events_about
from pipeline.browse.pages.photo_pictures import photo_values
from pipeline.browse.snapshot import Snapshot
from pipeline.refined.resolve import KINDS
from pipeline.refined.threshold_table import FINDING_RULES, FUSED
from pipeline.report.gallery import in_the_pages_words

DRAWN_RULES = ("outlier", "misplaced", "merge", "overlap")  # whose thresholds are drawn beside a photo's scores


@dataclass(frozen=True)
class DrawnThreshold:
    """A threshold on the fused score, with what it decides."""

    name: str
    value: float
    decides: str


@dataclass(frozen=True)
class PhotoFinding:
    """A finding about a photo, or about the identity or person that it is claimed as or kept under."""

    finding_id: str
    kind: str
    about: str  # photo or person
    subject: str
    object: str
    score: float | None
    probability: float | None
    evidence: str
    verdict: str
    who: str
    decided: bool  # whether it decided the photo's fate


@dataclass(frozen=True)
class PhotoView:
    """All that the page of a photo shows, but for pictures and the nearest persons."""

    face_id: str
    source: str
    key: str
    claimed: str | None
    identity: str | None
    reason: str
    score: float | None
    words: FateWords
    thresholds: list[DrawnThreshold]
    genuine_mean: float
    findings: list[PhotoFinding]
    events: list[Event]


def photo_view(snapshot: Snapshot, row: int) -> PhotoView:
    """The page of the photo with this number."""
    photos, fates, index = snapshot.photos, snapshot.fates, snapshot.findings
    claimed, identity = (snapshot.name(int(codes[row])) for codes in (photos.claimed, fates.identity))
    source, key = photo_values(snapshot.refinement.photos, snapshot, row, ["source", "key"])
    at = int(fates.finding[row])
    deciding = index.shown(np.array([at]))[0] if at >= 0 else None
    findings = _findings(snapshot, row)
    score = float(photos.score[row])
    reason = snapshot.reason(row)
    return PhotoView(
        photos.face_id(row),
        str(source),
        str(key),
        claimed,
        identity,
        reason,
        round(score, 2) if np.isfinite(score) else None,
        fate_in_words(
            identity=identity,
            claimed=claimed,
            reason=reason,
            deciding=deciding,
            min_faces=snapshot.refinement.options.min_faces,
        ),
        drawn_thresholds(snapshot),
        round(snapshot.genuine.mean, 2),
        findings,
        events_about(snapshot, {f.finding_id for f in findings}),
    )


def drawn_thresholds(snapshot: Snapshot) -> list[DrawnThreshold]:
    """The thresholds on the fused score that are drawn beside scores, the lowest first."""
    limits = snapshot.refinement.thresholds
    words = {rule.name: rule.decides for rule in FINDING_RULES if rule.unit == FUSED}
    chosen = [name for name in DRAWN_RULES if name in limits and np.isfinite(limits[name])]
    return sorted(
        (DrawnThreshold(name, round(limits[name], 2), words.get(name, "")) for name in chosen), key=lambda t: t.value
    )


def _findings(snapshot: Snapshot, row: int) -> list[PhotoFinding]:
    """The findings about a photo, in the order in which they act, then those about its person."""
    index, photos = snapshot.findings, snapshot.photos
    about = index.about_photos(np.array([row]))
    codes = {int(photos.claimed[row]), int(snapshot.fates.identity[row])} - {-1}
    persons = index.about_names(sorted(codes))
    persons = persons[np.isin(index.kind[persons], ["mixed", "merge", "overlap", "hub"])]
    shown = [(f, "photo") for f in index.shown(about)] + [(f, "person") for f in index.shown(persons)]
    decided = snapshot.finding(row)
    findings = {f.finding_id: _photo_finding(f, side, decided) for f, side in reversed(shown)}
    order = {kind: i for i, kind in enumerate(KINDS)}
    return sorted(
        findings.values(), key=lambda f: (order.get(f.kind, len(order)), f.about != "photo", -(f.score or 0.0))
    )


def _photo_finding(finding: ShownFinding, about: str, decided: str | None) -> PhotoFinding:
    return PhotoFinding(
        finding.finding_id,
        finding.kind,
        about,
        finding.subject,
        finding.object or "",
        finding.score,
        finding.probability,
        in_the_pages_words(finding.evidence),
        finding.verdict,
        finding.who,
        finding.finding_id == decided,
    )
