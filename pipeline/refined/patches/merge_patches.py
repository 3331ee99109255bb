"""Merges two patches of copies of one data set: each photo once, with what both patches state about it.

Where they state different fates the photo is disputed: it stays in the merged patch, which states nothing about it.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.refined.patches.indexed_photos import IndexedPhotos, index_photos
from pipeline.refined.patches.match_photos import Matches, match_photos
from pipeline.refined.patches.patch_file import DISPUTED, Patch, PatchHeader, write_patch
from pipeline.refined.patches.stated_photos import StatedPhotos, merged_groups, read_stated
from pipeline.refined.patches.statements import NO_PERSON, NOT_CLAIMED, NOTHING, SHOWS


class Conflict(NamedTuple):
    """A photo with different fates in two patches; key and identities as in the first of them."""

    key: str
    before: str
    one: str  # the fate in the first patch: "shows IDENTITY", "does not show IDENTITY" or "in a test set"
    two: str


class MergedPatch(NamedTuple):
    """What came of two patches."""

    header: PatchHeader
    by_way: dict[str, int]  # photos that both have, by the way in which they were matched
    other_picture: int  # photos that have the key of another picture in the first patch
    claimed_otherwise: int  # photos that both have, under two identities: the first one's statement counts
    conflicts: list[Conflict]
    vectors_left_out: bool  # a patch has vectors, but not both have them by the same model


KEEP, TAKE_TWO, DISPUTE = range(3)


class _Both(NamedTuple):
    """Two patches: their photos, what they state, and for each photo of the second the same photo of the first."""

    one: StatedPhotos
    two: StatedPhotos
    first: IndexedPhotos
    second: IndexedPhotos
    matches: Matches


class _Names(NamedTuple):
    """The names in the merged patch of the second patch's identities: as they are claimed, and after refinement."""

    claimed: list[str]
    after: list[str]


class _Outcome(NamedTuple):
    """For each photo of the first patch, whose statement it gets: its own (KEEP), the second's, or nobody's."""

    choice: NDArray[np.int8]
    row: NDArray[np.int64]  # of the same photo in the second patch; -1: none
    claimed_otherwise: int  # photos that both have, under two identities: the first one's statement counts


def merge_patches(one: Patch, two: Patch, file: Path) -> MergedPatch:
    """Write the patch of both to a file. Identities of the second get the names that the first gives them."""
    a, b = one.header, two.header
    vectors = bool(a.dim) and (a.model, a.flip, a.dim) == (b.model, b.flip, b.dim)
    first, second = (index_photos(patch.batches(), with_vectors=vectors) for patch in (one, two))
    stated, other = read_stated(one, first.names), read_stated(two, second.names)
    both = _Both(stated, other, first, second, match_photos(second, first))
    names = _names(both)
    outcome = _outcome(both, names, len(first))
    conflicts: list[Conflict] = []
    model: dict[str, Any] = {"model": a.model, "flip": a.flip, "dim": a.dim} if vectors else {}
    header = PatchHeader(sources=tuple(dict.fromkeys([*a.sources, *b.sources])), hash=a.hash or b.hash, **model)

    def batches() -> Iterator[pa.Table]:
        columns, start = header.schema.names, 0
        for rows in one.batches():
            conflicts.extend(_conflicts(rows, start, outcome, both, names))
            yield _with_outcome(rows.select(columns), start, outcome, both, names)
            start += len(rows)
        start = 0
        for rows in two.batches():
            alone = both.matches.row[start : start + len(rows)] < 0
            start += len(rows)
            yield _renamed(rows.select(columns).filter(pa.array(alone)), other.names, names)

    written = write_patch(file, header.schema, batches(), lambda photos: replace(header, photos=photos))
    return MergedPatch(
        written,
        both.matches.by_way(),
        int(both.matches.other_picture.sum()),
        outcome.claimed_otherwise,
        conflicts,
        vectors_left_out=bool(a.dim or b.dim) and not vectors,
    )


def _names(both: _Both) -> _Names:
    """The names that the merged patch gives to the identities of the second one.

    An identity that is not matched keeps its name. Identities that both patches merge get the name that the first gives
    them, and a second person that both split off the same identity gets the first one's name, too.
    """
    one, two, first, second, matches = both
    claimed = list(two.names)
    for i in np.flatnonzero(matches.identity >= 0).tolist():
        claimed[i] = first.names[matches.identity[i]]
    groups = merged_groups(one, first.identity)
    merged = {frozenset(one.names[i] for i in group): one.names[after] for after, group in groups.items()}
    after = list(claimed)
    for i, group in merged_groups(two, second.identity).items():
        after[i] = merged.get(frozenset(claimed[j] for j in group), claimed[i])
    split_off = dict(_split_off(one, first.identity, first.names))
    code = {name: i for i, name in enumerate(two.names)}
    for before, second_person in _split_off(two, second.identity, claimed):
        after[code[second_person]] = split_off.get(before, second_person)
    return _Names(claimed, after)


def _split_off(photos: StatedPhotos, claimed: NDArray[np.int32], names: list[str]) -> Iterator[tuple[str, str]]:
    """Identities of which one person was split off, and that person's; names: of the claimed identities."""
    split = photos.has_reason("split") & (photos.after >= 0)
    pairs = np.unique(np.stack([claimed[split], photos.after[split]], axis=1), axis=0)
    befores, counts = np.unique(pairs[:, 0], return_counts=True)
    single = set(befores[counts == 1].tolist())
    for before, after in pairs.tolist():
        if before in single:
            yield names[before], photos.names[after]


def _outcome(both: _Both, names: _Names, count: int) -> _Outcome:
    """Whose statement each photo of the first patch gets. names: of the second's identities, in the merged patch."""
    one, two = both.one, both.two
    row = np.full(count, -1, np.int64)
    found = np.flatnonzero(both.matches.row >= 0)
    row[both.matches.row[found]] = found
    code = {name: i for i, name in enumerate(one.names)}
    claimed, after = (np.array([*(code.get(n, -2) for n in column), -1], np.int32) for column in names)
    same_claim = both.first.identity == claimed[both.second.identity[row]]  # the last one stands for none
    counts = (row >= 0) & same_claim
    mine, theirs = one.stated, np.where(counts, two.stated[row], NOTHING)
    differ = _fate_kinds(mine) != _fate_kinds(theirs)
    differ |= (mine == SHOWS) & (one.after != after[two.after[row]])
    choice = np.full(count, KEEP, np.int8)
    choice[(mine == NOTHING) & (theirs != NOTHING)] = TAKE_TWO
    choice[(mine != NOTHING) & (theirs != NOTHING) & differ] = DISPUTE
    choice[one.has_reason(DISPUTED)] = KEEP
    choice[counts & two.has_reason(DISPUTED)[row]] = DISPUTE
    return _Outcome(choice, row, int(((row >= 0) & ~same_claim).sum()))


def _fate_kinds(stated: NDArray[np.int8]) -> NDArray[np.int8]:
    """Statements without the difference whether the other photos of an identity show one person."""
    return np.where(stated == NO_PERSON, np.int8(NOT_CLAIMED), stated)


def _with_outcome(rows: pa.Table, start: int, outcome: _Outcome, both: _Both, names: _Names) -> pa.Table:
    """Rows of the first patch, from row `start` on, with what the merged patch states."""
    choice, place = (column[start : start + len(rows)] for column in (outcome.choice, outcome.row))
    after, reason = rows["after"].to_pylist(), rows["reason"].to_pylist()
    for i in np.flatnonzero(choice != KEEP).tolist():
        if choice[i] == TAKE_TWO:
            code = int(both.two.after[place[i]])
            after[i], reason[i] = names.after[code] if code >= 0 else None, both.two.reasons[both.two.reason[place[i]]]
        else:
            after[i], reason[i] = None, DISPUTED
    names_of_columns = rows.schema.names
    for name, values in (("after", after), ("reason", reason)):
        rows = rows.set_column(names_of_columns.index(name), name, pa.array(values, pa.string()))
    return rows


def _conflicts(rows: pa.Table, start: int, outcome: _Outcome, both: _Both, names: _Names) -> Iterator[Conflict]:
    """The conflicts about rows of the first patch, from row `start` on, but those that either patch had already."""
    columns = [rows[c].to_pylist() for c in ("key", "before", "after")]
    disputed = both.two.has_reason(DISPUTED)
    for i in np.flatnonzero(outcome.choice[start : start + len(rows)] == DISPUTE).tolist():
        place = int(outcome.row[start + i])
        if not disputed[place]:
            key, before, after = (column[i] for column in columns)
            code = int(both.two.after[place])
            fates = (
                _fate(int(both.one.stated[start + i]), before, after),
                _fate(int(both.two.stated[place]), before, names.after[code] if code >= 0 else None),
            )
            yield Conflict(key, before, *fates)


def _fate(stated: int, before: str, after: str | None) -> str:
    """A statement in words."""
    if stated == SHOWS:
        return f"shows {after}"
    return f"does not show {before}" if stated in (NOT_CLAIMED, NO_PERSON) else "in a test set"


def _renamed(rows: pa.Table, old: list[str], names: _Names) -> pa.Table:
    """Rows of the second patch, with the names that its identities get."""
    for column, new in (("before", names.claimed), ("after", names.after)):
        new_name = dict(zip(old, new, strict=True))
        values = [None if name is None else new_name[name] for name in rows[column].to_pylist()]
        rows = rows.set_column(rows.schema.names.index(column), column, pa.array(values, pa.string()))
    return rows
