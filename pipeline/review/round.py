"""One round of a review: the best cases of the queue, audited photos, and cases that need one more answer."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pipeline.refinement import Refinement
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.answers.votes import MAX_EXTRA_ANSWERS, settle
from pipeline.review.groups import GroupedIdentity
from pipeline.review.pages.compose import GroupQuestion, compose_questions
from pipeline.review.pages.page_faces import PageFaces, read_page_faces
from pipeline.review.questions.asked_for import cases_asked_for
from pipeline.review.questions.audit import audited_before, renew_audit
from pipeline.review.questions.case import Case
from pipeline.review.questions.cases import find_cases
from pipeline.review.questions.question import GRID, MIXED
from pipeline.review.questions.queue import (
    MIN_ERROR_PROBABILITY,
    QueuedPage,
    answer_seconds,
    build_queue,
    within_budget,
)

log = logging.getLogger("refinery")
AUDIT_SHARE = 0.4  # of the budget, for audited photos: 200 of the usual 500
READINGS = 3  # how often further cases are taken when pages cannot be made for those that were chosen
SPARE = 5  # cases more than the budget and a tenth of it, whose faces are read at first


@dataclass(frozen=True)
class RoundLimits:
    """How many questions one round may ask."""

    budget: int = (
        500  # questions that wait for an answer: cases, audited photos, gold; those of earlier rounds included
    )
    minutes: float = 0.0  # annotators' time that these may take; 0: no limit
    votes: int = 2  # annotators who answer each question
    audit: int = 200  # kept photos drawn at random for the audit


@dataclass(frozen=True)
class Round:
    """The questions to send now, and the items that still matter: unanswered ones without these can be withdrawn."""

    questions: list[GroupQuestion]
    wanted_items: set[str]  # ids of the items that still matter, whether they were sent before or not


def plan_round(
    refinement: Refinement,
    sent_items: Collection[str],
    grouped_identities: Mapping[str, GroupedIdentity],
    limits: RoundLimits,
    *,
    finished_pages: Mapping[str, int] | None = None,
    waiting_gold: int = 0,
) -> Round:
    """The next round of a review of this refinement.

    sent_items: ids of items that earlier rounds sent; grouped_identities: group and title of an identity, by identity.
    finished_pages: by id of an item that nobody will answer any more, the number of its finished pages, whose answers
    are all in the ledger. Where they give no verdict, the item is asked about again. waiting_gold: gold questions that
    wait for an answer.
    """
    table = ledger.read(refinement.root)
    rows = ledger.rows_of(table)
    settlement = settle(table, votes=limits.votes)
    verdicts = zip(*(settlement.verdicts[c].to_pylist() for c in ("kind", "subject", "verdict")), strict=True)
    answered = {*settlement.verdicts["finding_id"].to_pylist(), *settlement.disputed}
    candidates, seconds = find_cases(refinement), answer_seconds(table)
    first = cases_asked_for(refinement, candidates)
    first_ids = {c.id for c in first}
    candidates = [*first, *(c for c in candidates if c.id not in first_ids)]
    audit_cases = renew_audit(refinement, limits.audit, answered).cases
    beliefs = {c.id: c.belief for c in candidates}
    audited = [replace(c, belief=beliefs.get(c.id, c.belief)) for c in audit_cases if c.id not in answered]
    again = _count_answers(rows, settlement.disputed)
    again |= _without_verdict(finished_pages or {}, rows, answered, votes=limits.votes)
    # a disputed photo of an earlier audit may be neither in the current sample nor among the candidates
    possible_cases = (*audited_before(rows, again), *audit_cases, *candidates)
    selection = _Selection(
        refinement,
        build_queue(first, seconds) + build_queue(candidates[len(first) :], seconds),
        audited,
        {c.id: c for c in possible_cases if c.id in again},
        answers_given=again,
        seconds=seconds,
        answered=answered,
        sent_items=sent_items,
        grouped_identities=grouped_identities,
        confirmed_faces={subject for kind, subject, verdict in verdicts if (kind, verdict) == ("outlier", "no")},
        waiting_gold=waiting_gold,
        limits=limits,
    )
    wanted = {c.id for c in candidates if c.error_probability >= MIN_ERROR_PROBABILITY and c.id not in answered}
    return Round(selection.questions(), wanted | {c.id for c in audited} | again.keys())


@dataclass(frozen=True)
class _Selection:
    """Chooses as many cases as the budget pays for, and puts them on pages."""

    refinement: Refinement
    queue: Sequence[QueuedPage]
    audited: Sequence[Case]  # photos of the audit without a verdict
    again: Mapping[str, Case]  # cases that need one more answer, by id
    answers_given: Mapping[str, int] = field(kw_only=True)
    seconds: Mapping[str, float] = field(kw_only=True)  # that an answer takes, by kind of page
    answered: Collection[str] = field(kw_only=True)
    sent_items: Collection[str] = field(kw_only=True)
    grouped_identities: Mapping[str, GroupedIdentity] = field(kw_only=True)
    confirmed_faces: Collection[str] = field(kw_only=True)
    waiting_gold: int = field(kw_only=True)
    limits: RoundLimits = field(kw_only=True)

    @cached_property
    def _open_in_queue(self) -> int:
        """How many cases of the queue are not answered; the queue of a large data set has many."""
        return sum(c.id not in self.answered for page in self.queue for c in page.cases)

    def questions(self) -> list[GroupQuestion]:
        """The pages of this round; gold questions count as questions, too, so fewer cases may be asked about."""
        questions, chosen = list[GroupQuestion](), list[Case]()
        most = self.limits.budget + self.limits.budget // 10 + SPARE
        for _ in range(READINGS):
            faces = read_page_faces(self.refinement, self._to_compose(self._chosen(most)))
            questions, chosen, waiting = self._filling(faces, most)
            if waiting >= self.limits.budget or len(self._chosen(most)) < most:
                break
            most += self.limits.budget - waiting  # some pages could not be made
        asked = {case.id for question in questions for case in question.cases}
        if left_out := [c for c in chosen if c.id not in asked and c.id not in self.sent_items]:
            log.info("%d questions wait for a later round: no photo is left to compare with", len(left_out))
        return questions

    def _filling(self, faces: PageFaces, most: int) -> tuple[list[GroupQuestion], list[Case], int]:
        """The pages about as many cases as fit the budget, at most `most`; these cases; the number of questions."""
        budget, count, chosen = self.limits.budget, most, self._chosen(most)
        questions, waiting = self._compose(faces, chosen)
        while waiting > budget and count:
            count -= min(count, waiting - budget)
            chosen = self._chosen(count)
            questions, waiting = self._compose(faces, chosen)
        while waiting < budget and count < most:  # gold questions may have gone with the cases
            more = self._chosen(count + 1)
            further, further_waiting = self._compose(faces, more)
            if further_waiting > budget:
                break
            count, chosen, questions, waiting = count + 1, more, further, further_waiting
        return questions, chosen, waiting

    def _chosen(self, count: int) -> list[Case]:
        """Audited photos, then the best cases of the queue, together as many as `count`."""
        seconds_left = self.limits.minutes * 60 or float("inf")
        audit_seconds = self.seconds[GRID]
        photos = max(int(AUDIT_SHARE * count), count - self._open_in_queue)
        photos = min(photos, int(min(AUDIT_SHARE * seconds_left / audit_seconds, len(self.audited))))
        audited = {c.id: c for c in self.audited[:photos]}
        chosen = within_budget(
            self.queue,
            self.seconds,
            answered={*self.answered, *audited},
            budget=count - photos,
            minutes=self.limits.minutes and max(seconds_left - photos * audit_seconds, 1.0) / 60,
        )
        return [*audited.values(), *chosen]

    def _to_compose(self, chosen: Sequence[Case]) -> list[Case]:
        return [*(c for c in chosen if c.id not in self.sent_items), *self.again.values()]

    def _compose(self, faces: PageFaces, chosen: Sequence[Case]) -> tuple[list[GroupQuestion], int]:
        """The pages about the chosen cases, and how many questions wait for an answer then."""
        questions = compose_questions(
            faces,
            self._to_compose(chosen),
            self.grouped_identities,
            answers_given=self.answers_given,
            sent_items=self.sent_items,
            confirmed_faces=self.confirmed_faces,
        )
        new = sum(1 if q.question.page == MIXED else len(q.cases) for q in questions if not q.repeated)
        return questions, new + self.waiting_gold + sum(c.id in self.sent_items for c in chosen)


def _count_answers(rows: Sequence[LedgerRow], findings: Collection[str]) -> dict[str, int]:
    """The number of answers to each of these findings: it is part of the id of the question that asks once more."""
    answers: dict[str, set[str]] = {finding_id: set() for finding_id in findings}
    for row in rows:
        if row.purpose in ("case", "audit") and row.finding.finding_id in answers:
            answers[row.finding.finding_id].add(row.answer_id)
    return {finding_id: len(ids) for finding_id, ids in answers.items()}


def _without_verdict(
    finished_pages: Mapping[str, int], rows: Sequence[LedgerRow], answered: Collection[str], *, votes: int
) -> dict[str, int]:
    """By id of an item whose finished pages give no verdict, a number for the question that asks once more.

    It is negative and differs from time to time, so that the question is not one that was sent before. After
    MAX_EXTRA_ANSWERS more pages than annotators wanted, the item stays without a verdict.
    """
    open_items = [i for i, n in finished_pages.items() if i not in answered and n < votes + MAX_EXTRA_ANSWERS]
    answers = _count_answers(rows, open_items)
    return {item: -(answers[item] + finished_pages[item]) for item in open_items}
