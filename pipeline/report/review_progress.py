"""What waits for people, what they said, and how far they agree: in numbers, without anybody's name."""

from collections import Counter
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refinement import Refinement
from pipeline.review.answers.agreement import by_group
from pipeline.review.answers.ledger import read, terms
from pipeline.review.answers.votes import settle
from pipeline.review.questions.cases import cases
from pipeline.review.questions.gold import Audit, estimate, in_force
from pipeline.review.questions.queue import PAGE, pages, seconds


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
    audit: Audit | None


def people(root: str, done: Refinement) -> People:
    """What waits for people and what they said."""
    ledger = read(root)
    cost = seconds(ledger)
    given = ledger.filter(pc.is_in(ledger["purpose"], value_set=pa.array(["case", "audit", "list", "truth"])))
    said = set(given["finding_id"].to_pylist())
    questions: Counter[str] = Counter()
    corrected: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for page in pages(cases(root, done), cost):
        for case in page.cases:
            kind = str(case.about["kind"])
            if case.about["finding_id"] in said:
                answered[kind] += 1
                continue
            questions[kind] += 1
            corrected[kind] += case.wrong * case.photos  # type: ignore[assignment]
            taken[kind] += cost[case.page] + PAGE / len(page.cases)  # type: ignore[assignment]
    queue = [
        Queue(k, questions[k], float(corrected[k]), taken[k] / 60, answered[k]) for k in sorted({*questions, *answered})
    ]
    agreed = [
        (f"group {i}", a.answers, a.shared, "too few" if a.alpha is None else f"{a.alpha:.2f}")
        for i, a in enumerate(by_group(ledger), start=1)
    ]
    audit = estimate(in_force(root).wrong_when, settle(ledger, votes=terms(root)["votes"]).verdicts)
    return People(queue, agreed, audit)
