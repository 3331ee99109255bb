"""One round of a review: the best of the queue, the audit, and what annotators answered differently."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.refinement import Refinement
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.votes import settle
from pipeline.review.groups import KnownIdentity
from pipeline.review.pages.compose import GroupQuestion, compose_questions
from pipeline.review.questions.audit import audited_before, renew_audit
from pipeline.review.questions.cases import cases
from pipeline.review.questions.queue import MIN_ERROR_PROBABILITY, answer_seconds, build_queue, within_budget


@dataclass(frozen=True)
class RoundLimits:
    """How much may be asked in one round."""

    budget: int = 500  # items that wait for an answer
    minutes: float = 0.0  # of annotators' time; 0: no limit
    votes: int = 2  # annotators for each question
    audit: int = 200  # audited photos


@dataclass(frozen=True)
class Round:
    """The new questions, the ids of all items that still matter, sent before or not, and how many are asked again."""

    questions: list[GroupQuestion]
    wanted_items: set[str]
    repeated: int


def plan_round(
    refinement: Refinement, sent_items: Collection[str], known: Mapping[str, KnownIdentity], limits: RoundLimits
) -> Round:
    """The questions that are to be sent now.

    sent_items: ids of items that were sent before; known: groups and titles of identities.
    """
    table = ledger.read(refinement.root)
    rows = ledger.rows_of(table)
    settlement = settle(table, votes=limits.votes)
    answered = {*settlement.verdicts["finding_id"].to_pylist(), *settlement.disputed}
    candidates, seconds = cases(refinement), answer_seconds(table)
    queue = build_queue(candidates, seconds)
    chosen = within_budget(queue, seconds, answered=answered, budget=limits.budget, minutes=limits.minutes)
    sample = renew_audit(refinement, limits.audit, answered).cases
    beliefs = {c.id: c.belief for c in candidates}
    audited = [replace(c, belief=beliefs.get(c.id, c.belief)) for c in sample if c.id not in answered]
    answers_given = _count_answers(rows, settlement.disputed)
    # by now another sample may be drawn, and the machine may see no case in what an earlier audit asked
    askable_again = (*audited_before(rows, answers_given), *sample, *candidates)
    again = {c.id: c for c in askable_again if c.id in answers_given}
    new = {c.id: c for c in (*audited, *chosen) if c.id not in sent_items}
    wanted = {c.id for c in candidates if c.error_probability >= MIN_ERROR_PROBABILITY and c.id not in answered}
    questions = compose_questions(
        refinement, [*new.values(), *again.values()], known, answers_given=answers_given, sent_items=sent_items
    )
    return Round(questions, wanted | {c.id for c in audited} | answers_given.keys(), len(again))


def _count_answers(rows: Sequence[LedgerRow], disputed: Collection[str]) -> dict[str, int]:
    """How many answers each disputed finding has: the number is part of the id of the question that asks again."""
    answers: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.purpose in ("case", "audit"):
            answers[row.finding.finding_id].add(row.answer_id)
    return {finding_id: len(answers[finding_id]) for finding_id in disputed}
