"""How far annotators agree: Krippendorff's alpha (Content Analysis, 2004), 1 for always, 0 for by chance."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import krippendorff
import numpy as np
import pyarrow as pa

from pipeline.review.answers.votes import accuracies

VALUES = {"no": 0, "yes": 1, "unsure": 2}


class Agreement(NamedTuple):
    """Of a group or an annotator: answers, how many findings two or more answered, alpha (None: too few), and, of an
    annotator, gold questions answered and the accuracy that votes are weighed with."""

    name: str
    answers: int
    shared: int
    alpha: float | None
    gold: int = 0
    accuracy: float | None = None


def by_group(ledger: pa.Table) -> list[Agreement]:
    """The agreement within each group of annotators."""
    rows = [r for r in ledger.to_pylist() if r["purpose"] in ("case", "audit")]
    groups = sorted({r["group"] or "" for r in rows})
    return [_of(g, [r for r in rows if (r["group"] or "") == g]) for g in groups]


def by_annotator(ledger: pa.Table) -> list[Agreement]:
    """The agreement of each annotator with those who answered the same questions."""
    every = ledger.to_pylist()
    rows = [r for r in every if r["purpose"] in ("case", "audit")]
    accuracy = accuracies(every)
    found = []
    for who in sorted(accuracy):
        mine = {r["finding_id"] for r in rows if r["who"] == who}
        gold = sum(r["who"] == who and r["purpose"] == "gold" for r in every)
        of = _of(who, [r for r in rows if r["finding_id"] in mine])
        found.append(of._replace(answers=len(mine), gold=gold, accuracy=accuracy[who]))
    return found


def _of(name: str, rows: Sequence[Mapping[str, Any]]) -> Agreement:
    who = {w: i for i, w in enumerate(sorted({r["who"] for r in rows}))}
    what = {f: i for i, f in enumerate(sorted({r["finding_id"] for r in rows}))}
    table = np.full((len(who), len(what)), np.nan)
    for r in rows:
        table[who[r["who"]], what[r["finding_id"]]] = VALUES[r["verdict"]]
    several = (np.isfinite(table).sum(0) > 1) if len(rows) else np.zeros(0, bool)
    seen = table[:, several]
    alpha = None
    if several.sum() > 1 and len(np.unique(seen[np.isfinite(seen)])) > 1:
        alpha = float(krippendorff.alpha(reliability_data=seen, level_of_measurement="nominal"))
    elif several.sum() > 1:  # everybody said the same of everything
        alpha = 1.0
    return Agreement(name, len(rows), int(several.sum()), alpha)
