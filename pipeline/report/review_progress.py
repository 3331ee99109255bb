"""The review of a root in numbers: questions that wait for people, agreement of annotators, result of the audit."""

from collections import Counter
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refined.review_summary import NoiseEstimate
from pipeline.refinement import Refinement
from pipeline.review.answers.agreement import by_group
from pipeline.review.answers.ledger import read
from pipeline.review.questions.cases import find_cases
from pipeline.review.questions.queue import PAGE_SECONDS, answer_seconds, build_queue, expected_corrections
from pipeline.review.summary import noise_left

ANSWER_PURPOSES = ("case", "audit", "list", "truth")  # answers about the data, not about annotators


class QueuedKind(NamedTuple):
    """The cases of one kind of finding in the queue."""

    kind: str
    questions: int  # cases that wait for an answer
    expected_corrections: float  # photos that these are expected to correct
    minutes: float  # that these take annotators
    answered: int  # cases with an answer


class GroupAgreement(NamedTuple):
    """The agreement within a group of annotators, which has a number in place of its name."""

    group: str
    answers: int
    shared: int  # findings with answers of two annotators or more
    alpha: str  # Krippendorff's alpha


class ReviewProgress(NamedTuple):
    """The questions by kind, the agreement by group of annotators, and the audit's estimate of the noise left."""

    queue: list[QueuedKind]
    agreement: list[GroupAgreement]
    audit: NoiseEstimate | None


def review_progress(root: str, refinement: Refinement) -> ReviewProgress:
    """The state of the review of a root; refinement: the root's."""
    ledger = read(root)
    agreement = [
        GroupAgreement(f"group {i}", a.answers, a.shared, "too few answers" if a.alpha is None else f"{a.alpha:.2f}")
        for i, a in enumerate(by_group(ledger), start=1)
    ]
    return ReviewProgress(_queue(ledger, refinement), agreement, noise_left(root))


def _queue(ledger: pa.Table, refinement: Refinement) -> list[QueuedKind]:
    seconds_by_page = answer_seconds(ledger)
    answers = ledger.filter(pc.is_in(ledger["purpose"], value_set=pa.array(ANSWER_PURPOSES)))
    answered_ids = set(answers["finding_id"].to_pylist())
    questions: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    corrections: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for page in build_queue(find_cases(refinement), seconds_by_page):
        for case in page.cases:
            kind = case.finding.kind
            if case.id in answered_ids:
                answered[kind] += 1
                continue
            questions[kind] += 1
            corrections[kind] = corrections.get(kind, 0.0) + expected_corrections(case)
            cost = seconds_by_page[case.page] + PAGE_SECONDS / len(page.cases)
            seconds[kind] = seconds.get(kind, 0.0) + cost
    return [
        QueuedKind(k, questions[k], float(corrections.get(k, 0.0)), seconds.get(k, 0.0) / 60, answered[k])
        for k in sorted({*questions, *answered})
    ]
