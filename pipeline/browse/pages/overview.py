"""The first page: the account of all photos, and the thresholds in words; it needs refinement.json alone."""

from dataclasses import dataclass

from pipeline.browse.pages.photo_flow import Band, photo_flow
from pipeline.noise.calibration import read_calibration
from pipeline.refined.reasons import RELABELLED, REMOVED
from pipeline.refined.threshold_table import EXPLANATION, ThresholdRow, refinement_thresholds
from pipeline.refinement import Refinement


@dataclass(frozen=True)
class Outcome:
    """Photos with one outcome."""

    fate: str  # kept, relabelled or removed
    reason: str
    words: str
    photos: int


@dataclass(frozen=True)
class Threshold:
    """A threshold in words."""

    rule: str
    asked: str
    became: str
    unit: str
    decides: str


@dataclass(frozen=True)
class Overview:
    """A refinement in figures."""

    sources: list[str]
    ingested: int
    kept: int
    relabelled: int
    identities_claimed: int
    identities_kept: int
    outcomes: list[Outcome]
    flow: list[Band]
    thresholds: list[Threshold]
    explanation: str
    measured: str  # what the thresholds were measured on
    warning: str  # where they are a guess; else ""


def overview(refinement: Refinement) -> Overview:
    """The overview of a refinement."""
    account = refinement.account
    basis = read_calibration(refinement.root, refinement.calibration.shards[0]).basis
    outcomes = [Outcome("kept", "", "kept under the claimed identity", account.kept - account.moved)]
    if account.moved:
        words = "kept under another identity: " + "; ".join(RELABELLED.values())
        outcomes.append(Outcome("relabelled", "", words, account.moved))
    removed = sorted(account.removed.items(), key=lambda item: (-item[1], item[0]))
    outcomes += [Outcome("removed", reason, REMOVED.get(reason, reason), n) for reason, n in removed]
    tables = refinement_thresholds(refinement)
    return Overview(
        list(refinement.options.sources),
        account.ingested,
        account.kept,
        account.moved,
        account.identities_claimed,
        account.identities_kept,
        outcomes,
        photo_flow(account),
        [_threshold(row) for row in (*tables.findings, *tables.grouping)],
        EXPLANATION,
        basis.line(refinement.options.references),
        basis.warning() if basis.is_guess else "",
    )


def _threshold(row: ThresholdRow) -> Threshold:
    return Threshold(row.rule, row.asked, row.became, row.unit, row.decides)
