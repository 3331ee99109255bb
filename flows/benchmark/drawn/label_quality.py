"""How good the labels of a drawn world are, against its truth: photo by photo, and whole identities merged or split.

`refinery score` (pipeline.refined.scoring) counts otherwise, so its figures for the same labels differ. Here an
identity belongs to the person whom most of its photos show, whatever their kind: a companion's photos that are split
off into an identity of their own are right (there they stay wrong). Photos of a second person are neither wrong nor
clean (there they are clean). A photo removed for any reason but "duplicate" is stopped or lost. Merges and splits have
a precision.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refined.scoring.score import Rate
from pipeline.tables.table import Table

WRONG_KINDS = ("stranger", "flip", "companion")  # of photos that do not show the person of their claimed identity
Row = dict[str, Any]
Mask = NDArray[np.bool_]
Value = TypeVar("Value")


class PhotoOutcomes(NamedTuple):
    """What the truth says of the photos of a shard [n], and what the labels make of each.

    kind: a kind of DrawnIdentity; kept: the photo has an identity; right: it is kept under an identity whose owner it
    shows; removed_as_duplicate: it is removed for that reason.
    """

    kind: NDArray[np.object_]
    kept: Mask
    right: Mask
    removed_as_duplicate: Mask

    @property
    def stopped(self) -> Mask:
        """Photos removed, or kept under the person they show [n]: a wrong label among them does no harm any more."""
        return ~self.kept | self.right

    @property
    def lost(self) -> Mask:
        """Photos removed as anything but a duplicate [n]: a clean photo among them is a mistake."""
        return ~self.kept & ~self.removed_as_duplicate


def photo_outcomes(labels: Table, truth: Table) -> Iterator[PhotoOutcomes]:
    """The outcomes of all photos, shard by shard; labels and truth have the same photos in the same order."""
    owner = _identity_owners(labels, truth)
    shards = zip(labels.batches(["identity", "reason"]), truth.batches(["person", "kind"]), strict=True)
    for label_rows, truth_rows in shards:
        identities, persons = label_rows["identity"].to_pylist(), truth_rows["person"].to_pylist()
        kept = np.asarray(label_rows["identity"].is_valid())
        right = [i is not None and owner[i] == p for i, p in zip(identities, persons, strict=True)]
        reason, kind = (np.asarray(c.to_numpy(), object) for c in (label_rows["reason"], truth_rows["kind"]))
        yield PhotoOutcomes(kind, kept, np.array(right, bool), ~kept & (reason == "duplicate"))


def _identity_owners(labels: Table, truth: Table) -> dict[str, int]:
    """The owner of each identity in the labels: the person whom most of its photos show."""
    votes: dict[str, Counter[int]] = {}
    for label_rows, truth_rows in zip(labels.batches(["identity"]), truth.batches(["person"]), strict=True):
        for identity, person in zip(label_rows["identity"].to_pylist(), truth_rows["person"].to_pylist(), strict=True):
            if identity is not None:
                votes.setdefault(identity, Counter())[person] += 1
    return {identity: count.most_common(1)[0][0] for identity, count in votes.items()}


def score_photos(labels: Table, truth: Table) -> list[Row]:
    """Precision and recall of wrong labels that were removed or moved to their person, and of duplicates.

    Also the recall of each kind of wrong label, the clean photos lost, and the wrong ones among those kept, as shares.
    """
    counts: Counter[str] = Counter()
    wrong: Counter[tuple[str, bool]] = Counter()  # wrong labels by kind, and whether they were stopped
    for photos in photo_outcomes(labels, truth):
        is_wrong = np.isin(photos.kind, WRONG_KINDS)
        wrong.update(zip(photos.kind[is_wrong].tolist(), photos.stopped[is_wrong].tolist(), strict=True))
        counts.update({name: int(mask.sum()) for name, mask in _counted(photos).items()})
    recalls = [
        {f"{kind}: recall": f"{_share(wrong[kind, True], wrong[kind, True] + wrong[kind, False]):.4f}"}
        for kind in sorted({kind for kind, _ in wrong})
    ]
    shares = {
        "duplicates: recall": f"{_share(counts['duplicates removed'], counts['duplicates']):.4f}",
        "clean photos lost": f"{_share(counts['clean lost'], counts['clean']):.4f}",
        "wrong among kept": f"{_share(counts['kept wrongly'], counts['kept']):.4f}",
    }
    stopped = sum(count for (_, is_stopped), count in wrong.items() if is_stopped)
    noise = noise_rate(stopped, counts["clean lost"], wrong.total())
    rates = {
        "wrong labels: precision": f"{noise.precision or 0:.4f}",
        "recall": f"{noise.recall or 0:.4f}",
        "F1": f"{noise.f1:.4f}",
    }
    return [rates, *recalls, shares]


def noise_rate(stopped: int, clean_lost: int, wrong: int) -> Rate:
    """Precision and recall of the wrong labels found: `stopped` of `wrong` labels stopped, `clean_lost` lost."""
    return Rate(_share(stopped, stopped + clean_lost), _share(stopped, wrong))


def _counted(photos: PhotoOutcomes) -> dict[str, Mask]:
    """Which photos each count of a score is of."""
    clean, duplicate = photos.kind == "clean", photos.kind == "copy"
    return {
        "clean": clean,
        "clean lost": clean & photos.lost,
        "duplicates": duplicate,
        "duplicates removed": duplicate & ~photos.kept,
        "kept": photos.kept,
        "kept wrongly": photos.kept & ~photos.right,
    }


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
