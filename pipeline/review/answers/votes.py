"""From answers to verdicts: a weighted vote on each finding. Where two votes differ, one more vote is wanted.

The machine's belief is the prior of the vote, and people can always overrule it: it takes two annotators of usual
accuracy where the machine was not sure, and three where it was. Without this prior, annotators who err once in twenty
would add more noise to nearly clean data than they remove.

An annotator's accuracy is the share of right answers to gold questions, with ten further answers of which nine are
right (the prior). The weight of an answer is its log-odds of being right; knowing the person halves the probability of
an error. With many annotators a model gives the error rates instead (see dawid_skene).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import exp, log
from typing import NamedTuple

import pyarrow as pa

from pipeline.review.answers import ledger
from pipeline.review.answers.dawid_skene import MIN_ANNOTATORS, MIN_SHARED, fit_yes_probabilities
from pipeline.review.answers.ledger import LedgerRow, rows_of
from pipeline.review.questions.question import NOBODY
from pipeline.schema import ANSWERS

DECISIVE_PURPOSES = ("truth", "list")  # purposes of answers that need no second vote
DATA_PURPOSES = ("case", "audit", *DECISIVE_PURPOSES)  # purposes of answers about the data; gold is about annotators
MIN_PROBABILITY = 0.8  # least probability of a verdict: one vote against one gives none, two against one do
PRIOR_RIGHT, PRIOR_ANSWERS = 9.0, 10.0  # the prior of an annotator's accuracy: 9 of 10 answers right
MIN_ACCURACY, MAX_ACCURACY = 0.55, 0.99  # limits of an annotator's accuracy
MAX_MACHINE_BELIEF = 0.98  # limit of the machine's belief as a prior
# a question is left undecided after this number of annotators more than wanted, or, where the same annotators answer
# again, after this number of answers more
MAX_EXTRA_VOTERS = 2
MAX_EXTRA_ANSWERS = 5


class Settlement(NamedTuple):
    """The verdicts that the answers in a ledger give, and the finding_ids that need more answers."""

    verdicts: pa.Table  # columns as ANSWERS, one row for each finding
    disputed: list[str]  # findings whose votes differ: one more is wanted
    waiting: list[str]  # findings with answers of fewer annotators than wanted


def accuracies(rows: Iterable[LedgerRow]) -> dict[str, float]:
    """The accuracy of each annotator, by name, from answers to gold questions and the prior."""
    right: dict[str, int] = defaultdict(int)
    answered: dict[str, int] = defaultdict(int)
    for row in _latest_answers(r for r in rows if r.purpose not in ("policy", *DECISIVE_PURPOSES)):
        counts = row.purpose == "gold" and row.verdict != "unsure"
        right[row.who] += counts and row.verdict == row.expected
        answered[row.who] += counts
    return {who: _accuracy(right[who], n) for who, n in sorted(answered.items())}


def _accuracy(right: int, answered: int) -> float:
    return min(MAX_ACCURACY, max(MIN_ACCURACY, (PRIOR_RIGHT + right) / (PRIOR_ANSWERS + answered)))


def settled_verdicts(root: str) -> pa.Table:
    """The verdicts that people's answers in the root give so far; columns as ANSWERS."""
    return settle(ledger.read(root), votes=ledger.votes_wanted(root)).verdicts


def settle(table: pa.Table, *, votes: int = 2) -> Settlement:
    """The verdicts that the ledger's answers give.

    table: columns as LEDGER; votes: how many annotators shall answer each question.
    An answer "cannot tell" has no weight; when all answers are "cannot tell", the verdict is "unsure". Of several
    answers of one annotator to a question the last one counts. Where an annotator answered a question twice, there are
    no further annotators to ask: a unanimous vote is then the verdict, even with a probability below MIN_PROBABILITY.
    """
    rows = rows_of(table)
    accuracy = accuracies(rows)
    by_finding: dict[str, list[LedgerRow]] = defaultdict(list)
    for row in _latest_answers(r for r in rows if r.purpose in DATA_PURPOSES):
        by_finding[row.finding.finding_id].append(row)
    answers = Counter(r.finding.finding_id for r in rows if r.purpose in DATA_PURPOSES)
    fitted = _fitted_log_odds(by_finding, rows, accuracy)
    prior = {r.finding.finding_id: r.belief for r in rows if r.purpose == "policy" and r.belief is not None}
    verdicts: list[LedgerRow] = []
    disputed, waiting = [], []
    for finding, last_answers in sorted(by_finding.items()):
        decisive = [r for r in last_answers if r.purpose in DECISIVE_PURPOSES]
        people = [r for r in last_answers if r.purpose not in DECISIVE_PURPOSES]
        if len(people) < votes:
            verdicts += [_merged_row(decisive, decisive[-1].verdict)] if decisive else []
            waiting += [finding] if people else []
            continue
        log_odds = fitted[finding] if finding in fitted else sum(weight(r, accuracy) for r in people)
        log_odds += _log_odds(prior.get(finding, 0.5), limit=MAX_MACHINE_BELIEF)
        exhausted = len(people) >= votes + MAX_EXTRA_VOTERS or answers[finding] >= votes + MAX_EXTRA_ANSWERS
        asked_again = answers[finding] > len(last_answers)  # an annotator answered twice: there are no others to ask
        verdict = (_unanimous(people) if asked_again else "") or _verdict(people, log_odds, exhausted=exhausted)
        if verdict:
            verdicts.append(_merged_row(people, verdict))
        else:
            disputed.append(finding)
    return Settlement(_answers_table(verdicts), disputed, waiting)


def weight(row: LedgerRow, accuracy: Mapping[str, float]) -> float:
    """The weight of an answer as log-odds of "yes": positive for "yes", negative for "no", 0 for "unsure".

    accuracy: by annotator, as accuracies() returns it.
    """
    if row.verdict == "unsure":
        return 0.0
    error = (1 - accuracy.get(row.who, PRIOR_RIGHT / PRIOR_ANSWERS)) * (0.5 if row.knows else 1.0)
    return log((1 - error) / error) * (1 if row.verdict == "yes" else -1)


def _log_odds(p: float, *, limit: float) -> float:
    p = min(max(p, 1 - limit), limit)
    return log(p / (1 - p))


def _unanimous(people: Sequence[LedgerRow]) -> str:
    """The verdict that all answers give; "" when they differ, or when all are "unsure"."""
    verdicts = {r.verdict for r in people}
    return verdicts.pop() if len(verdicts) == 1 and verdicts != {"unsure"} else ""


def _verdict(people: Sequence[LedgerRow], log_odds: float, *, exhausted: bool) -> str:
    """The verdict yes, no or unsure; "" when one more vote is wanted.

    log_odds: of "yes"; exhausted: whether no further votes are wanted in any case.
    """
    yes = 1 / (1 + exp(-log_odds))
    if all(r.verdict == "unsure" for r in people):
        return "unsure"
    if max(yes, 1 - yes) >= MIN_PROBABILITY:
        return "yes" if yes > 0.5 else "no"
    return "unsure" if exhausted else ""


def _merged_row(rows: Sequence[LedgerRow], verdict: str) -> LedgerRow:
    """One row with the verdict in place of these rows: all annotators' names, the sum of their seconds."""
    seconds = [r.seconds for r in rows if r.seconds is not None]
    who = ", ".join(sorted({r.who for r in rows}))
    return replace(rows[-1], verdict=verdict, who=who, seconds=sum(seconds) if seconds else None)


def _answers_table(verdicts: Iterable[LedgerRow]) -> pa.Table:
    return ledger.table_of(verdicts).select(ANSWERS.names)


def _latest_answers(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """The last answer of each annotator to each question; rows: oldest first."""
    return list({(r.finding.finding_id, voter(r), r.purpose == "gold"): r for r in rows}.values())


def voter(row: LedgerRow) -> str:
    """Who gave an answer: the annotator, or, where the account was deleted, the answer's id in place of the person."""
    return f"{NOBODY} {row.answer_id}" if row.who == NOBODY else row.who


def given_answers(rows: Iterable[LedgerRow]) -> set[tuple[str, str]]:
    """What people answered: pairs of finding_id and annotator, each once, however often the annotator answered it."""
    return {(row.finding.finding_id, voter(row)) for row in rows if row.purpose in ledger.PEOPLES_PURPOSES}


def _fitted_log_odds(
    by_finding: Mapping[str, list[LedgerRow]], rows: Sequence[LedgerRow], accuracy: Mapping[str, float]
) -> dict[str, float]:
    """The log-odds of "yes" by the Dawid-Skene model, by finding_id; empty when there are too few answers to fit it."""
    votes = {
        finding: {voter(r): r.verdict for r in answers if r.verdict != "unsure" and r.purpose not in DECISIVE_PURPOSES}
        for finding, answers in by_finding.items()
    }
    if len(accuracy) < MIN_ANNOTATORS or sum(len(v) > 1 for v in votes.values()) < MIN_SHARED:
        return {}
    gold = [r for r in _latest_answers(rows) if r.purpose == "gold" and r.verdict != "unsure"]
    triples = [(finding, who, verdict) for finding, cast in votes.items() for who, verdict in cast.items()]
    triples += [(r.finding.finding_id, voter(r), r.verdict) for r in gold]
    expected = {r.finding.finding_id: r.expected for r in gold}
    yes = fit_yes_probabilities(triples, expected)
    return {f: _log_odds(yes[f], limit=1 - 1e-9) for f in votes if f in yes}
