"""What is to be asked now: the best of the queue, the audit, and what two annotators answered differently."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import pyarrow as pa

from pipeline.refinement import Refinement
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import settle
from pipeline.review.groups import Known
from pipeline.review.questions.cases import cases
from pipeline.review.questions.gold import asked_before, renewed
from pipeline.review.questions.pages import Sheet, compose
from pipeline.review.questions.queue import BAND, cut, pages, seconds


class Terms(NamedTuple):
    """How much may be asked: items that wait, minutes of annotators' time (0: no limit), votes, audit photos."""

    budget: int = 500
    minutes: float = 0.0
    votes: int = 2
    audit: int = 200


class Draft(NamedTuple):
    """The new pages; the items that still matter, new or not; how many are asked again."""

    sheets: list[Sheet]
    wanted: set[str]
    again: int


def draft(root: str, done: Refinement, there: Collection[str], known: Mapping[str, Known], terms: Terms) -> Draft:
    """The pages that are to be sent; there: items that were sent before, known: groups and titles of identities."""
    said = ledger.read(root)
    settled = settle(said, votes=terms.votes)
    answered = {*settled.verdicts["finding_id"].to_pylist(), *settled.disputed}
    made, cost = cases(root, done), seconds(said)
    chosen = cut(pages(made, cost), cost, answered=answered, budget=terms.budget, minutes=terms.minutes)
    sample = renewed(root, done, terms.audit, answered)
    believed = {c.about["finding_id"]: c.belief for c in made}
    drawn = [
        c._replace(belief=believed.get(c.about["finding_id"], c.belief))
        for c in sample.cases
        if c.about["finding_id"] not in answered
    ]
    voices = _voices(said, settled.disputed)
    audited = asked_before(said, voices)  # by now another sample may be drawn, and the machine see no case
    again = {c.about["finding_id"]: c for c in (*audited, *sample.cases, *made) if c.about["finding_id"] in voices}
    usual = {c.about["finding_id"]: c for c in (*drawn, *chosen) if c.about["finding_id"] not in there}
    wanted = {c.about["finding_id"] for c in made if c.wrong >= BAND and c.about["finding_id"] not in answered}
    wanted |= {c.about["finding_id"] for c in drawn} | set(voices)
    sheets = compose(done, [*usual.values(), *again.values()], known, voices, there)
    return Draft(sheets, wanted, len(again))


def _voices(said: pa.Table, disputed: Collection[str]) -> dict[str, int]:
    """How many answers were given to each disputed finding: with each one, asking again is another question."""
    answers: dict[str, set[str]] = {f: set() for f in disputed}
    for row in said.to_pylist():
        if row["finding_id"] in answers and row["purpose"] in ("case", "audit"):
            answers[row["finding_id"]].add(row["answer_id"])
    return {f: len(a) for f, a in answers.items()}
