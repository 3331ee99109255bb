"""How good the labels of a drawn world are, against its truth: photo by photo, and whole identities merged or split."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.tables.table import Table

WRONG_KINDS = ("stranger", "flip", "companion")  # of photos that do not show the person of their claimed identity
Row = dict[str, Any]
Value = TypeVar("Value")


def score_photos(labels: Table, truth: Table) -> list[Row]:
    """Precision and recall of wrong labels that were removed or moved to their person, and of duplicates.

    Also the recall of each kind of wrong label, the clean photos lost, and the wrong ones among those kept.
    """
    owner = identity_owners(labels, truth)
    counts: Counter[str] = Counter()
    stopped: Counter[tuple[str, bool]] = Counter()  # wrong labels by kind, and whether they were stopped
    shards = zip(labels.batches(["identity", "reason"]), truth.batches(["person", "kind"]), strict=True)
    for label_rows, truth_rows in shards:
        shard_counts, shard_stopped = _count_photos(label_rows, truth_rows, owner)
        counts.update(shard_counts)
        stopped.update(shard_stopped)
    recalls = [
        {f"{kind}: recall": f"{_share(stopped[kind, True], stopped[kind, True] + stopped[kind, False]):.4f}"}
        for kind in sorted({kind for kind, _ in stopped})
    ]
    others = {
        "duplicates: recall": f"{_share(counts['duplicates removed'], counts['duplicates']):.4f}",
        "clean photos lost": f"{_share(counts['clean lost'], counts['clean']):.4f}",
        "wrong among kept": f"{_share(counts['kept wrongly'], counts['kept']):.4f}",
    }
    return [_wrong_labels(counts), *recalls, others]


def _count_photos(
    label_rows: pa.Table, truth_rows: pa.Table, owner: Mapping[str, int]
) -> tuple[dict[str, int], Counter[tuple[str, bool]]]:
    """The photos of one shard by what they are and what became of them, and its wrong labels by kind."""
    kept = np.asarray(label_rows["identity"].is_valid())
    identities = label_rows["identity"].to_pylist()
    reason, kind = (np.asarray(c.to_numpy(), object) for c in (label_rows["reason"], truth_rows["kind"]))
    person = truth_rows["person"].to_pylist()
    right = np.array([owner.get(i) == p and i is not None for i, p in zip(identities, person, strict=True)], bool)
    wrong = np.isin(kind, WRONG_KINDS)
    stopped = wrong & (~kept | right)
    counts = {
        "wrong": wrong,
        "stopped": stopped,
        "clean": kind == "clean",
        "clean lost": (kind == "clean") & ~kept & (reason != "duplicate"),
        "duplicates": kind == "copy",
        "duplicates removed": (kind == "copy") & ~kept,
        "kept": kept,
        "kept wrongly": kept & ~right,
    }
    by_kind = Counter(zip(kind[wrong].tolist(), stopped[wrong].tolist(), strict=True))
    return {name: int(mask.sum()) for name, mask in counts.items()}, by_kind


def _wrong_labels(counts: Mapping[str, int]) -> Row:
    precision = _share(counts["stopped"], counts["stopped"] + counts["clean lost"])
    recall = _share(counts["stopped"], counts["wrong"])
    f1 = 2 * precision * recall / max(1e-12, precision + recall)
    return {"wrong labels: precision": f"{precision:.4f}", "recall": f"{recall:.4f}", "F1": f"{f1:.4f}"}


def identity_owners(labels: Table, truth: Table) -> dict[str, int]:
    """The person whom most photos of each identity in the labels show."""
    votes: dict[str, Counter[int]] = {}
    for label_rows, truth_rows in zip(labels.batches(["identity"]), truth.batches(["person"]), strict=True):
        for identity, person in zip(label_rows["identity"].to_pylist(), truth_rows["person"].to_pylist(), strict=True):
            if identity is not None:
                votes.setdefault(identity, Counter())[person] += 1
    return {identity: count.most_common(1)[0][0] for identity, count in votes.items()}


class Majorities(NamedTuple):
    """Of the photos of a claimed identity that form a group: whom most show, and which identity most got.

    Groups: clean, second (of a second person), split (split off to an identity of their own), rest (not split off).
    """

    person: dict[tuple[str, str], int]  # by claimed identity and group
    label: dict[tuple[str, str], str]


def score_identities(labels: Table, truth: Table) -> list[Row]:
    """Precision and recall of merged identities (a person under two) and of split ones (two persons under one).

    An identity is known by its clean photos, its second person by theirs. Splitting photos off is right where they
    show somebody else than those that stay.
    """
    majorities = _majorities(labels, truth)
    persons = {group: _of_group(majorities.person, group) for group in ("clean", "second", "split", "rest")}
    clean_labels, second_labels = (_of_group(majorities.label, group) for group in ("clean", "second"))
    same, merged = _pairs(persons["clean"]), _pairs(clean_labels)
    two_persons = set(persons["second"]) & set(persons["clean"])
    split = persons["split"]
    right = {i for i, person in split.items() if persons["rest"].get(i) != person}
    apart = {i for i in two_persons if len({clean_labels.get(i), second_labels.get(i)} - {None}) == 2}
    rows = []
    if same:
        rows.append(_row("people under two identities", len(same & merged), len(merged), len(same & merged), len(same)))
    if two_persons:
        rows.append(_row("identities of two people", len(right), len(split), len(apart), len(two_persons)))
    return rows


def _majorities(labels: Table, truth: Table) -> Majorities:
    majorities = Majorities({}, {})
    label_shards = labels.batches(["identity", "reason"])
    for label_rows, truth_rows in zip(label_shards, truth.batches(["identity", "person", "kind"]), strict=True):
        rows = truth_rows.append_column("label", label_rows["identity"])
        for group, members in _groups(rows, label_rows["reason"]):
            counted = rows.filter(members).group_by(["identity", "person", "label"]).aggregate([([], "count_all")])
            for row in sorted(counted.to_pylist(), key=lambda row: (row["count_all"], row["label"] or "")):
                majorities.person[row["identity"], group] = row["person"]
                if row["label"] is not None:
                    majorities.label[row["identity"], group] = row["label"]
    return majorities


def _groups(rows: pa.Table, reason: pa.ChunkedArray) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Which rows belong to each group of Majorities."""
    kept = rows["label"].is_valid()
    split = pc.and_(pc.equal(reason, "split"), kept)
    yield "clean", pc.equal(rows["kind"], "clean")
    yield "second", pc.equal(rows["kind"], "second")
    yield "split", split
    yield "rest", pc.and_not(kept, split)


def _of_group(majority: Mapping[tuple[str, str], Value], group: str) -> dict[str, Value]:
    return {identity: value for (identity, g), value in majority.items() if g == group}


def _pairs(value_of: Mapping[str, Hashable]) -> set[tuple[str, str]]:
    """The pairs of identities that have the same value."""
    by_value: dict[Hashable, list[str]] = {}
    for identity in sorted(value_of):
        by_value.setdefault(value_of[identity], []).append(identity)
    return {pair for identities in by_value.values() for pair in combinations(identities, 2)}


def _row(name: str, right: int, changed: int, recovered: int, planted: int) -> Row:
    precision, recall = _share(right, changed), recovered / planted
    return {f"{name}: precision": f"{precision:.4f}", "recall": f"{recall:.4f}", "planted": planted}


def _share(part: int, whole: int) -> float:
    return part / max(1, whole)
