"""What waits for people, what they said, and how far they agree: in numbers, without anybody's name."""

from collections import Counter
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refined.review_summary import NoiseEstimate
from pipeline.refinement import Refinement
from pipeline.review.answers.agreement import by_group
from pipeline.review.answers.ledger import read
from pipeline.review.questions.cases import cases
from pipeline.review.questions.queue import PAGE_SECONDS, answer_seconds, build_queue, expected_corrections
from pipeline.review.summary import noise_left


class Queue(NamedTuple):
    """Of a kind: questions worth asking, photos they are expected to correct, minutes they take, answered ones."""

    kind: str
    questions: int
    corrected: float
    minutes: float
    answered: int


class People(NamedTuple):
    """The queue by kind, agreement as lines of a table, and what the audit says."""

    queue: list[Queue]
    agreement: list[tuple[str, int, int, str]]
    audit: NoiseEstimate | None


def people(root: str, done: Refinement) -> People:
    """What waits for people and what they said."""
    ledger = read(root)
    cost = answer_seconds(ledger)
    given = ledger.filter(pc.is_in(ledger["purpose"], value_set=pa.array(["case", "audit", "list", "truth"])))
    said = set(given["finding_id"].to_pylist())
    questions: Counter[str] = Counter()
    corrected: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for page in build_queue(cases(done), cost):
        for case in page.cases:
            kind = case.finding.kind
            if case.id in said:
                answered[kind] += 1
                continue
            questions[kind] += 1
            corrected[kind] += expected_corrections(case)  # type: ignore[assignment]
            taken[kind] += cost[case.page] + PAGE_SECONDS / len(page.cases)  # type: ignore[assignment]
    queue = [
        Queue(k, questions[k], float(corrected[k]), taken[k] / 60, answered[k]) for k in sorted({*questions, *answered})
    ]
    agreed = [
        (f"group {i}", a.answers, a.shared, "too few" if a.alpha is None else f"{a.alpha:.2f}")
        for i, a in enumerate(by_group(ledger), start=1)
    ]
    return People(queue, agreed, noise_left(root))
