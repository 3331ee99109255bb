"""The state of the review: questions that wait for people, annotators beside each other, and the noise that is left.

And one annotator: how fast, and how often as others answer and as gold questions expect, by kind of question.
"""

from dataclasses import dataclass

from pipeline.errors import UserError
from pipeline.refined.reasons import FINDINGS
from pipeline.refinement import Refinement
from pipeline.report.review_progress import review_progress
from pipeline.review.answers import ledger
from pipeline.review.answers.agreement import by_annotator, by_group
from pipeline.review.answers.annotator_kinds import KindRecord, by_kind, name_in_ledger
from pipeline.review.answers.votes import settle


@dataclass(frozen=True)
class WaitingKind:
    """The questions about one kind of finding."""

    kind: str
    words: str
    questions: int
    corrections: float  # photos that the answers are expected to correct
    minutes: float  # that these take people
    answered: int


@dataclass(frozen=True)
class Group:
    """The agreement of annotators who were asked as one group."""

    name: str
    answers: int
    shared: int  # findings with answers of two annotators or more
    alpha: float | None  # Krippendorff's alpha


@dataclass(frozen=True)
class Annotator:
    """One annotator beside the others."""

    name: str
    answers: int
    shared: int  # findings that others answered, too
    alpha: float | None  # Krippendorff's alpha with the others
    gold: int  # gold questions answered
    accuracy: float | None  # by which the votes are weighted
    seconds: float | None  # that an answer takes


@dataclass(frozen=True)
class Noise:
    """The noise left among kept photos, estimated from those that were drawn at random and judged."""

    judged: int
    wrong: int
    low: float
    high: float


@dataclass(frozen=True)
class ReviewView:
    """A review in numbers."""

    votes: int
    settled: int
    disputed: int
    waiting: int
    queue: list[WaitingKind]
    groups: list[Group]
    annotators: list[Annotator]
    audit: Noise | None


def review_view(refinement: Refinement) -> ReviewView:
    """The review of a refinement's root; all its findings are read, which takes a minute for a million photos."""
    root = refinement.root
    progress, table, votes = review_progress(root, refinement), ledger.read(root), ledger.votes_wanted(root)
    settlement = settle(table, votes=votes)
    audit = progress.audit
    return ReviewView(
        votes,
        len(settlement.verdicts),
        len(settlement.disputed),
        len(settlement.waiting),
        [
            WaitingKind(
                q.kind,
                FINDINGS.get(q.kind, ""),
                q.questions,
                round(q.expected_corrections, 1),
                round(q.minutes, 1),
                q.answered,
            )
            for q in progress.queue
        ],
        [Group(g.name, g.answers, g.shared, _rounded(g.alpha)) for g in by_group(table)],
        [
            Annotator(a.name, a.answers, a.shared, _rounded(a.alpha), a.gold, _rounded(a.accuracy), _rounded(a.seconds))
            for a in by_annotator(table)
        ],
        None if audit is None else Noise(audit.judged, audit.wrong, audit.low, audit.high),
    )


@dataclass(frozen=True)
class AnnotatorView:
    """One annotator's answers in numbers: all together, then by kind."""

    name: str
    who: str  # the name in the ledger
    records: list[KindRecord]
    words: dict[str, str]  # kinds of findings in words


def annotator_view(root: str, name: str) -> AnnotatorView:
    """The page of one annotator. Raises UserError for one who gave no answer that is in force."""
    records = by_kind(ledger.read(root), name)
    if not records:
        raise UserError(f"no answer of {name[:80]!r} is in force")
    return AnnotatorView(
        name, name_in_ledger(name), records, {r.kind: FINDINGS.get(r.kind, r.kind) for r in records if r.kind}
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
