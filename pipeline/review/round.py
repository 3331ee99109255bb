"""One round of a review: the best cases of the queue, audited photos, and cases whose answers so far differ."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.refinement import Refinement
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.votes import settle
from pipeline.review.groups import GroupedIdentity
from pipeline.review.pages.compose import GroupQuestion, compose_questions
from pipeline.review.questions.audit import audited_before, renew_audit
from pipeline.review.questions.cases import find_cases
from pipeline.review.questions.queue import MIN_ERROR_PROBABILITY, answer_seconds, build_queue, within_budget


@dataclass(frozen=True)
class RoundLimits:
    """How many questions one round may ask."""

    budget: int = 500  # cases of the queue that wait for an answer, those of earlier rounds included
    minutes: float = 0.0  # annotators' time that these cases may take; 0: no limit
    votes: int = 2  # annotators who answer each question
    audit: int = 200  # kept photos drawn at random for the audit


@dataclass(frozen=True)
class Round:
    """The questions to send now, and the items that still matter: unanswered ones without these can be withdrawn."""

    questions: list[GroupQuestion]
    wanted_items: set[str]  # ids of the items that still matter, whether they were sent before or not
    repeated: int  # cases that are asked about again, because their answers so far differ


def plan_round(
    refinement: Refinement,
    sent_items: Collection[str],
    grouped_identities: Mapping[str, GroupedIdentity],
    limits: RoundLimits,
) -> Round:
    """The next round of a review of this refinement.

    sent_items: ids of items that earlier rounds sent; grouped_identities: group and title of an identity, by identity.
    """
    table = ledger.read(refinement.root)
    rows = ledger.rows_of(table)
    settlement = settle(table, votes=limits.votes)
    answered = {*settlement.verdicts["finding_id"].to_pylist(), *settlement.disputed}
    candidates, seconds = find_cases(refinement), answer_seconds(table)
    queue = build_queue(candidates, seconds)
    chosen = within_budget(queue, seconds, answered=answered, budget=limits.budget, minutes=limits.minutes)
    audit_cases = renew_audit(refinement, limits.audit, answered).cases
    beliefs = {c.id: c.belief for c in candidates}
    audited = [replace(c, belief=beliefs.get(c.id, c.belief)) for c in audit_cases if c.id not in answered]
    answers_given = _count_answers(rows, settlement.disputed)
    # a disputed photo of an earlier audit may be neither in the current sample nor among the candidates
    possible_cases = (*audited_before(rows, answers_given), *audit_cases, *candidates)
    again = {c.id: c for c in possible_cases if c.id in answers_given}
    new = {c.id: c for c in (*audited, *chosen) if c.id not in sent_items}
    wanted = {c.id for c in candidates if c.error_probability >= MIN_ERROR_PROBABILITY and c.id not in answered}
    questions = compose_questions(
        refinement,
        [*new.values(), *again.values()],
        grouped_identities,
        answers_given=answers_given,
        sent_items=sent_items,
    )
    return Round(questions, wanted | {c.id for c in audited} | answers_given.keys(), len(again))


def _count_answers(rows: Sequence[LedgerRow], disputed: Collection[str]) -> dict[str, int]:
    """The number of answers to each disputed finding: it is part of the id of the question that asks once more."""
    answers: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.purpose in ("case", "audit"):
            answers[row.finding.finding_id].add(row.answer_id)
    return {finding_id: len(answers[finding_id]) for finding_id in disputed}
