"""How well photos with a wrong label were found in a drawn world: precision and recall, and what they count.

Moving a photo counts like removing it, for a name that was parted or joined moves photos as a whole: a photo was moved
when it is elsewhere than most clean photos of its claimed name that show the same person.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from flows.sample.known_truth import NO_NOISE, WRONG

Truth = Mapping[str, Mapping[str, str]]
Labels = Iterable[Mapping[str, Any]]


class Flagged(NamedTuple):
    """Shares from 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        p, r = self
        return 2 * p * r / (p + r) if p + r else 0.0


def flagged(labels: Labels, truth: Truth) -> Flagged:
    """Precision: of clean and wrongly labelled photos that were removed as noise or moved, the wrongly labelled ones.

    Recall: of the wrongly labelled, those removed for any reason or kept under the person they show. labels: rows of
    key, identity and reason, one for each photo of the truth.
    """
    rows = {r["key"]: r for r in labels}
    wrong = {k for k, t in truth.items() if t["kind"] in WRONG}
    clean = {k for k, t in truth.items() if t["kind"] == "clean"}
    homes, owners = _homes(rows, clean, truth), _owners(rows, truth)
    out = {k for k in wrong | clean if _is_out(rows[k], homes.get(truth[k]["claimed"]))}
    stopped = {k for k in wrong if (i := rows[k]["identity"]) is None or owners.get(i) == truth[k]["person"]}
    return Flagged(len(out & wrong) / max(1, len(out)), len(stopped) / max(1, len(wrong)))


def _is_out(row: Mapping[str, Any], homes: set[str] | None) -> bool:
    if row["identity"] is None:
        return row["reason"] not in NO_NOISE
    return homes is not None and row["identity"] not in homes


def _homes(rows: Mapping[str, Mapping[str, Any]], clean: Iterable[str], truth: Truth) -> dict[str, set[str]]:
    """By claimed name the identities to which most clean photos of each of its persons went."""
    went: dict[tuple[str, str], Counter[str]] = {}
    for key in sorted(clean):
        if identity := rows[key]["identity"]:
            went.setdefault((truth[key]["claimed"], truth[key]["person"]), Counter())[identity] += 1
    homes: dict[str, set[str]] = {}
    for (claimed, _), count in went.items():
        homes.setdefault(claimed, set()).add(count.most_common(1)[0][0])
    return homes


def _owners(rows: Mapping[str, Mapping[str, Any]], truth: Truth) -> dict[str, str]:
    """The person of whom an identity holds most clean photos."""
    votes: dict[str, Counter[str]] = {}
    for key, true in truth.items():
        if (identity := rows[key]["identity"]) and true["kind"] in ("clean", "duplicate"):
            votes.setdefault(identity, Counter())[true["person"]] += 1
    return {identity: count.most_common(1)[0][0] for identity, count in votes.items()}
