"""How good the labels of a drawn world are, against its truth: photo by photo, and whole identities merged or split.

The scorer is that of `refinery score` (pipeline.refined.scoring), with three rules of a drawn world, so the figures of
both for the same labels differ. Photos of all kinds vote for the owner of an identity: a companion's photos that are
split off into an identity of their own are right (there they stay wrong). Photos of a second person are neither wrong
nor clean (there they are clean). A photo removed for any reason but "duplicate" is stopped or lost. Merges and splits
have a precision.
"""

from collections.abc import Hashable, Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refined.scoring.known_truth import Truth
from pipeline.refined.scoring.score import stopped_rate
from pipeline.refined.scoring.scored_photos import Mask, ScoredPhotos
from pipeline.tables.table import Table

WRONG_KINDS = ("stranger", "flip", "companion")  # of photos that do not show the person of their claimed identity
Row = dict[str, Any]
Value = TypeVar("Value")


def scored_photos(labels: Table, truth: Table) -> ScoredPhotos:
    """Labels and truth of a drawn world, photo by photo; photos of all kinds vote for the owner of an identity.

    labels, truth: tables of the same photos in the same order.
    """
    rows = truth.read(["identity", "person", "kind"])
    kinds = tuple(rows["kind"].unique().to_pylist())
    known_truth = Truth(rows["identity"], rows["person"].cast(pa.string()), rows["kind"], np.full(len(rows), -1))
    return ScoredPhotos(labels.read(["identity", "reason"]), known_truth, voters=kinds)


def stopped_and_lost(photos: ScoredPhotos) -> tuple[Mask, Mask]:
    """Photos removed or kept under the person they show [n], and photos removed as anything but a duplicate [n]."""
    return ~photos.kept | photos.right, ~photos.kept & ~photos.removed_for("duplicate")


def score_photos(labels: Table, truth: Table) -> list[Row]:
    """Precision and recall of wrong labels that were removed or moved to their person, and of duplicates.

    Also the recall of each kind of wrong label, the clean photos lost, and the wrong ones among those kept, as shares.
    """
    photos = scored_photos(labels, truth)
    stopped, lost = stopped_and_lost(photos)
    clean, duplicate = photos.of("clean"), photos.of("copy")
    noise = stopped_rate(stopped, lost, photos.of(*WRONG_KINDS), clean)
    rates = {
        "wrong labels: precision": f"{noise.precision or 0:.4f}",
        "recall": f"{noise.recall or 0:.4f}",
        "F1": f"{noise.f1:.4f}",
    }
    recalls = [
        {f"{kind}: recall": f"{_part(stopped, photos.of(kind)):.4f}"}
        for kind in sorted(WRONG_KINDS)
        if photos.of(kind).any()
    ]
    shares = {
        "duplicates: recall": f"{_part(~photos.kept, duplicate):.4f}",
        "clean photos lost": f"{_part(lost, clean):.4f}",
        "wrong among kept": f"{_part(~photos.right, photos.kept):.4f}",
    }
    return [rates, *recalls, shares]


def _part(part: Mask, whole: Mask) -> float:
    """The share of the photos of `whole` that are in `part`, too."""
    return _share(int((part & whole).sum()), int(whole.sum()))


class Majorities(NamedTuple):
    """By claimed identity and group of its photos: the person whom most show, the identity most are kept under.

    Groups: clean, second (of a second person), split (split off into an identity of their own), rest (not split off).
    """

    person: dict[tuple[str, str], int]
    label: dict[tuple[str, str], str]


def score_identities(labels: Table, truth: Table) -> list[Row]:
    """Precision and recall of merged identities (one person under two) and of split ones (two persons under one).

    Two claimed identities count as merged when most clean photos of both are kept under one identity. A split is right
    when most photos split off show another person than most of the rest; a planted one counts as found when most clean
    photos and most of the second person's are kept under two identities.
    """
    majorities = _majorities(labels, truth)
    persons = {group: _of_group(majorities.person, group) for group in ("clean", "second", "split", "rest")}
    clean_labels, second_labels = (_of_group(majorities.label, group) for group in ("clean", "second"))
    same, merged = _pairs(persons["clean"]), _pairs(clean_labels)
    two_persons = set(persons["second"]) & set(persons["clean"])
    split = persons["split"]
    right = {i for i, person in split.items() if persons["rest"].get(i) != person}
    separated = {i for i in two_persons if len({clean_labels.get(i), second_labels.get(i)} - {None}) == 2}
    rows = []
    if same:
        recall = _share(len(same & merged), len(same))
        rows.append(_row("people under two identities", _share(len(same & merged), len(merged)), recall, len(same)))
    if two_persons:
        recall = _share(len(separated), len(two_persons))
        rows.append(_row("identities of two people", _share(len(right), len(split)), recall, len(two_persons)))
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
    """For each group of Majorities which rows belong to it; reason: of each row's label."""
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


def _row(name: str, precision: float, recall: float, planted: int) -> Row:
    return {f"{name}: precision": f"{precision:.4f}", "recall": f"{recall:.4f}", "planted": planted}


def _share(part: int, whole: int) -> float:
    return part / max(1, whole)
