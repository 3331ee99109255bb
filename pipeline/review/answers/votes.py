"""From answers to verdicts: votes weighed by what is known of each annotator, a further voice where two differ.

The machine's view is where a vote begins, never where it ends: two people at the usual accuracy settle what the machine
held to be open, three overrule what it was sure of. Without that, annotators of whom each errs once in twenty would
bring more noise into what is nearly clean than they take out of it.

An annotator's accuracy is what the gold questions say, with ten imagined right answers in ten and a half to begin with;
an answer weighs the log of its odds of being right, and knowing the person halves the chance of error. With many
annotators the model of Dawid & Skene (Applied Statistics 28, 1979) tells how each of them errs, gold included.
"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import exp, log
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.review.answers.ledger import read, terms
from pipeline.schema import ANSWERS

ALONE = ("truth", "list")  # purposes of answers that need no second voice
ASKED = ("case", "audit", *ALONE)  # purposes of answers about the data; gold is about annotators
SURE = 0.8  # probability at which votes are a verdict: two of equal weight that differ are none, two of three are
BEGIN = (9.0, 10.0)  # right answers of how many, before anything is known of an annotator
LEAST, MOST = 0.55, 0.99  # accuracies: nobody is worth nothing, nobody is never wrong
TRUST = 0.98  # the most that the machine is believed
MANY = 5  # annotators from whom on Dawid & Skene's model is fitted ...
PLENTY = 100  # ... when there are so many questions that two or more of them answered
FURTHER = 2  # voices beyond the usual number before a question is left as undecidable ...
TIRED = 5  # ... or answers beyond it, should the same annotators be asked again

Row = Mapping[str, Any]


class Settled(NamedTuple):
    """Verdicts (columns as ANSWERS, one row a finding), and the findings whose votes differ and need one more."""

    verdicts: pa.Table
    disputed: list[str]
    waiting: list[str]  # answered, by fewer than the votes wanted


def accuracies(rows: Iterable[Row]) -> dict[str, float]:
    """Each annotator's accuracy from the gold questions; the machine's own view is nobody's."""
    right: dict[str, int] = defaultdict(int)
    seen: dict[str, int] = defaultdict(int)
    for row in _latest(r for r in rows if r["purpose"] not in ("policy", *ALONE)):
        gold = row["purpose"] == "gold" and row["verdict"] != "unsure"
        right[row["who"]] += gold and row["verdict"] == row["expected"]
        seen[row["who"]] += gold
    return {who: min(MOST, max(LEAST, (BEGIN[0] + right[who]) / (BEGIN[1] + n))) for who, n in sorted(seen.items())}


def verdicts(root: str) -> pa.Table:
    """What people have said by now (columns as ANSWERS), with as many votes a question as the review asks for."""
    return settle(read(root), votes=terms(root)["votes"]).verdicts


def settle(ledger: pa.Table, *, votes: int = 2) -> Settled:
    """The verdicts that the ledger's answers give.

    votes: how many annotators are wanted for each question. Those that answered "cannot tell" have no weight; when
    nobody else answered, the verdict is "unsure". Of one annotator's answers to the same question the last one counts;
    once somebody was asked again, what all of them say is the verdict, however little is known of how well they see.
    """
    rows = ledger.to_pylist()
    accuracy = accuracies(rows)
    by_finding: dict[str, list[Row]] = defaultdict(list)
    for row in _latest(r for r in rows if r["purpose"] in ASKED):
        by_finding[row["finding_id"]].append(row)
    answers = Counter(r["finding_id"] for r in rows if r["purpose"] in ASKED)
    believed = _dawid_skene(by_finding, rows, accuracy)
    prior = {r["finding_id"]: r["belief"] for r in rows if r["purpose"] == "policy" and r["belief"] is not None}
    verdicts, disputed, waiting = [], [], []
    for finding, given in sorted(by_finding.items()):
        alone = [r for r in given if r["purpose"] in ALONE]
        people = [r for r in given if r["purpose"] not in ALONE]
        if len(people) < votes:
            verdicts += [_said(alone, alone[-1]["verdict"])] if alone else []
            waiting += [finding] if people else []
            continue
        odds = believed[finding] if finding in believed else sum(weight(r, accuracy) for r in people)
        enough = len(people) >= votes + FURTHER or answers[finding] >= votes + TIRED
        again = answers[finding] > len(given)  # somebody was asked twice: there is nobody else to ask
        total = odds + _odds(prior.get(finding, 0.5), TRUST)
        said = _agreed(people) if again else ""
        said = said or _verdict(people, total, enough=enough)
        if said:
            verdicts.append(_said(people, said))
        else:
            disputed.append(finding)
    return Settled(pa.Table.from_pylist(verdicts, schema=ANSWERS), disputed, waiting)


def weight(row: Row, accuracy: Mapping[str, float]) -> float:
    """The log-odds by which an answer speaks for "yes": negative for "no", 0 for "unsure"."""
    if row["verdict"] == "unsure":
        return 0.0
    wrong = (1 - accuracy.get(row["who"], BEGIN[0] / BEGIN[1])) * (0.5 if row["knows"] else 1.0)
    return log((1 - wrong) / wrong) * (1 if row["verdict"] == "yes" else -1)


def _odds(p: float, most: float) -> float:
    p = min(max(p, 1 - most), most)
    return log(p / (1 - p))


def _agreed(people: list[Row]) -> str:
    """What all say; "" when they do not, or cannot tell."""
    found = {r["verdict"] for r in people}
    return str(found.pop()) if len(found) == 1 and found != {"unsure"} else ""


def _verdict(people: list[Row], odds: float, *, enough: bool) -> str:
    """yes, no or unsure, from the log-odds of yes; "" when one more voice is wanted."""
    yes = 1 / (1 + exp(-odds))
    if all(r["verdict"] == "unsure" for r in people):
        return "unsure"
    if max(yes, 1 - yes) >= SURE:
        return "yes" if yes > 0.5 else "no"
    return "unsure" if enough else ""


def _said(given: list[Row], verdict: str) -> dict[str, Any]:
    """One row for all who answered: the question as the last of them met it, their seconds together."""
    last = given[-1]
    seconds = [r["seconds"] for r in given if r["seconds"] is not None]
    who = ", ".join(sorted({r["who"] for r in given}))
    row = {c: last[c] for c in ANSWERS.names}
    return row | {"verdict": verdict, "who": who, "seconds": sum(seconds) if seconds else None}


def _latest(rows: Iterable[Row]) -> list[Row]:
    """Of each annotator and question the last answer; the ledger's order is that of time."""
    return list({(r["finding_id"], r["who"], r["purpose"] == "gold"): r for r in rows}.values())


def _dawid_skene(
    by_finding: Mapping[str, list[Row]], rows: list[Row], accuracy: Mapping[str, float]
) -> dict[str, float]:
    """The log-odds of "yes" where the model can be fitted; nothing otherwise."""
    asked = {f: [r for r in g if r["verdict"] != "unsure" and r["purpose"] not in ALONE] for f, g in by_finding.items()}
    if len(accuracy) < MANY or sum(len(g) > 1 for g in asked.values()) < PLENTY:
        return {}
    import pandas as pd  # both take a second to load, and only large reviews need them
    from crowdkit.aggregation import DawidSkene

    gold = [r for r in _latest(rows) if r["purpose"] == "gold" and r["verdict"] != "unsure"]
    votes = [(f, r["who"], r["verdict"]) for f, g in asked.items() for r in g]
    votes += [(r["finding_id"], r["who"], r["verdict"]) for r in gold]
    known = pd.Series({r["finding_id"]: r["expected"] for r in gold}, dtype=object)
    table = pd.DataFrame(votes, columns=["task", "worker", "label"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, about what crowd-kit will have to change
        found: Any = DawidSkene(n_iter=100).fit(table, true_labels=known if len(known) else None).probas_
    if "yes" not in found.columns:
        return {}
    return {f: _odds(float(found.loc[f, "yes"]), 1 - 1e-9) for f in asked if f in found.index}
