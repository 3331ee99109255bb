"""From answers to verdicts: votes weighted by each annotator's accuracy; one more vote is wanted where two differ.

The machine's belief is where a vote begins, never where it ends: two people of the usual accuracy settle what the
machine held to be open, three overrule what it was sure of. Without that, annotators of whom each errs once in twenty
would bring more noise into what is nearly clean than they take out of it.

An annotator's accuracy comes from the gold questions, on top of ten imagined answers of which nine are right. An
answer weighs the log-odds of being right, and knowing the person halves the probability of an error. With many
annotators a model says how each of them errs (see dawid_skene).
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
from pipeline.schema import ANSWERS

DECIDE_ALONE = ("truth", "list")  # purposes of answers that need no second vote
ABOUT_DATA = ("case", "audit", *DECIDE_ALONE)  # purposes of answers about the data; gold is about annotators
MIN_PROBABILITY = 0.8  # of a verdict: two votes of equal weight that differ give none, two of three do
PRIOR_RIGHT, PRIOR_ANSWERS = 9.0, 10.0  # right answers of how many, before anything is known of an annotator
MIN_ACCURACY, MAX_ACCURACY = 0.55, 0.99  # nobody's answers are worth nothing, nobody is never wrong
MAX_MACHINE_BELIEF = 0.98  # the most that the machine's belief counts
MAX_EXTRA_VOTERS = 2  # beyond the usual number, before a question is left as undecidable ...
MAX_EXTRA_ANSWERS = 5  # ... or answers beyond it, should the same annotators be asked again


class Settlement(NamedTuple):
    """What the answers in a ledger settle, and the finding_ids of what they leave open."""

    verdicts: pa.Table  # columns as ANSWERS, one row a finding
    disputed: list[str]  # whose votes differ: one more is wanted
    waiting: list[str]  # answered, by fewer annotators than wanted


def accuracies(rows: Iterable[LedgerRow]) -> dict[str, float]:
    """Each annotator's accuracy from the gold questions."""
    right: dict[str, int] = defaultdict(int)
    answered: dict[str, int] = defaultdict(int)
    for row in _last_of_each(r for r in rows if r.purpose not in ("policy", *DECIDE_ALONE)):
        counts = row.purpose == "gold" and row.verdict != "unsure"
        right[row.who] += counts and row.verdict == row.expected
        answered[row.who] += counts
    return {who: _accuracy(right[who], n) for who, n in sorted(answered.items())}


def _accuracy(right: int, answered: int) -> float:
    return min(MAX_ACCURACY, max(MIN_ACCURACY, (PRIOR_RIGHT + right) / (PRIOR_ANSWERS + answered)))


def settled_verdicts(root: str) -> pa.Table:
    """The verdicts of people by now (columns as ANSWERS), with as many votes a question as the review asks for."""
    return settle(ledger.read(root), votes=ledger.votes_wanted(root)).verdicts


def settle(table: pa.Table, *, votes: int = 2) -> Settlement:
    """The verdicts that the ledger's answers give; table: columns as LEDGER.

    votes: how many annotators are wanted for each question. Those that answered "cannot tell" have no weight; when
    nobody else answered, the verdict is "unsure". Of one annotator's answers to the same question the last one counts;
    once somebody was asked again, what all of them agree on is the verdict, however little is known of their accuracy.
    """
    rows = rows_of(table)
    accuracy = accuracies(rows)
    by_finding: dict[str, list[LedgerRow]] = defaultdict(list)
    for row in _last_of_each(r for r in rows if r.purpose in ABOUT_DATA):
        by_finding[row.finding.finding_id].append(row)
    answers = Counter(r.finding.finding_id for r in rows if r.purpose in ABOUT_DATA)
    fitted = _fitted_log_odds(by_finding, rows, accuracy)
    prior = {r.finding.finding_id: r.belief for r in rows if r.purpose == "policy" and r.belief is not None}
    verdicts: list[LedgerRow] = []
    disputed, waiting = [], []
    for finding, last_answers in sorted(by_finding.items()):
        alone = [r for r in last_answers if r.purpose in DECIDE_ALONE]
        people = [r for r in last_answers if r.purpose not in DECIDE_ALONE]
        if len(people) < votes:
            verdicts += [_joined(alone, alone[-1].verdict)] if alone else []
            waiting += [finding] if people else []
            continue
        odds = fitted[finding] if finding in fitted else sum(weight(r, accuracy) for r in people)
        odds += _log_odds(prior.get(finding, 0.5), limit=MAX_MACHINE_BELIEF)
        exhausted = len(people) >= votes + MAX_EXTRA_VOTERS or answers[finding] >= votes + MAX_EXTRA_ANSWERS
        asked_again = answers[finding] > len(last_answers)  # somebody answered twice: there is nobody else to ask
        verdict = (_unanimous(people) if asked_again else "") or _verdict(people, odds, exhausted=exhausted)
        if verdict:
            verdicts.append(_joined(people, verdict))
        else:
            disputed.append(finding)
    return Settlement(_answers_table(verdicts), disputed, waiting)


def weight(row: LedgerRow, accuracy: Mapping[str, float]) -> float:
    """The log-odds by which an answer speaks for "yes": negative for "no", 0 for "unsure".

    accuracy: by annotator.
    """
    if row.verdict == "unsure":
        return 0.0
    error = (1 - accuracy.get(row.who, PRIOR_RIGHT / PRIOR_ANSWERS)) * (0.5 if row.knows else 1.0)
    return log((1 - error) / error) * (1 if row.verdict == "yes" else -1)


def _log_odds(p: float, *, limit: float) -> float:
    p = min(max(p, 1 - limit), limit)
    return log(p / (1 - p))


def _unanimous(people: Sequence[LedgerRow]) -> str:
    """The verdict that all give; "" when they differ, or cannot tell."""
    verdicts = {r.verdict for r in people}
    return verdicts.pop() if len(verdicts) == 1 and verdicts != {"unsure"} else ""


def _verdict(people: Sequence[LedgerRow], log_odds: float, *, exhausted: bool) -> str:
    """yes, no or unsure, from the log-odds of yes; "" when one more vote is wanted."""
    yes = 1 / (1 + exp(-log_odds))
    if all(r.verdict == "unsure" for r in people):
        return "unsure"
    if max(yes, 1 - yes) >= MIN_PROBABILITY:
        return "yes" if yes > 0.5 else "no"
    return "unsure" if exhausted else ""


def _joined(rows: Sequence[LedgerRow], verdict: str) -> LedgerRow:
    """One row for all who answered: the question as the last of them was asked it, their seconds added up."""
    seconds = [r.seconds for r in rows if r.seconds is not None]
    who = ", ".join(sorted({r.who for r in rows}))
    return replace(rows[-1], verdict=verdict, who=who, seconds=sum(seconds) if seconds else None)


def _answers_table(verdicts: Iterable[LedgerRow]) -> pa.Table:
    return ledger.table_of(verdicts).select(ANSWERS.names)


def _last_of_each(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Of each annotator and question the last answer; the ledger is in the order of time."""
    return list({(r.finding.finding_id, r.who, r.purpose == "gold"): r for r in rows}.values())


def _fitted_log_odds(
    by_finding: Mapping[str, list[LedgerRow]], rows: Sequence[LedgerRow], accuracy: Mapping[str, float]
) -> dict[str, float]:
    """The log-odds of "yes" by finding_id; none where annotators or answers are too few to fit a model."""
    votes = {
        finding: {r.who: r.verdict for r in answers if r.verdict != "unsure" and r.purpose not in DECIDE_ALONE}
        for finding, answers in by_finding.items()
    }
    if len(accuracy) < MIN_ANNOTATORS or sum(len(v) > 1 for v in votes.values()) < MIN_SHARED:
        return {}
    gold = [r for r in _last_of_each(rows) if r.purpose == "gold" and r.verdict != "unsure"]
    triples = [(finding, who, verdict) for finding, of in votes.items() for who, verdict in of.items()]
    triples += [(r.finding.finding_id, r.who, r.verdict) for r in gold]
    expected = {r.finding.finding_id: r.expected for r in gold}
    yes = fit_yes_probabilities(triples, expected)
    return {f: _log_odds(yes[f], limit=1 - 1e-9) for f in votes if f in yes}
