"""Which faces a page shows of a person: the surest ones, unlike each other, so that a stranger learns the face."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.refinement import Refinement
from pipeline.tables.columns import Mask, texts, vectors
from pipeline.tables.table import read_shard

SHOWN = 6  # faces of a person on a page
SPARE = 2  # further ones, for gold questions
Place = tuple[str, int]  # identity and group


def surest(done: Refinement, places: Collection[Place], *, avoid: Collection[str] = ()) -> dict[Place, list[str]]:
    """For each group up to SHOWN + SPARE of its faces, by face_id: those to show first, spare ones last.

    Of the better half by likeness to the person, first the likest, then whatever looks least like what was taken; so
    a page shows the person in more than one light. avoid: faces that are asked about themselves.
    """
    names = pa.array(sorted({identity for identity, _ in places}), pa.string())
    tables = [done.clusters, done.embeddings[0], done.copies]
    found: dict[Place, list[str]] = {}
    for clusters, embeddings, copies in zip(*(t.shards for t in tables), strict=True):
        rows = read_shard(tables[0].root, clusters, ["face_id", "identity", "cluster", "core"])
        here = pc.is_in(rows["identity"], value_set=names)
        if not pc.any(here).as_py():
            continue
        copied = read_shard(tables[2].root, copies, ["copy_of"])["copy_of"].is_valid()
        x, there = vectors(read_shard(tables[1].root, embeddings, ["x"])["x"])
        usable = there & np.asarray(here) & ~np.asarray(copied)
        usable &= ~np.isin(texts(rows["face_id"]).astype(str), sorted(avoid))
        found |= _chosen(rows, usable, x, places)
    return found


def _chosen(rows: pa.Table, usable: Mask, x: NDArray[np.floating], places: Collection[Place]) -> dict[Place, list[str]]:
    ids, identity = texts(rows["face_id"]), texts(rows["identity"])
    group = rows["cluster"].fill_null(-1).to_numpy()
    core = rows["core"].to_numpy(zero_copy_only=False)
    at: dict[Place, list[int]] = {}
    for i in np.flatnonzero(usable).tolist():
        place = (identity[i], int(group[i]))
        if place in places:
            at.setdefault(place, []).append(i)
    return {
        place: [ids[i] for i in _unlike(sorted(some, key=lambda i: (-core[i], ids[i])), x)]
        for place, some in at.items()
    }


def _unlike(best: Sequence[int], x: NDArray[np.floating]) -> list[int]:
    """Rows in the order in which they are shown; best: from the likest to the person."""
    pool = list(best[: max(SHOWN + SPARE, len(best) // 2)])
    seen = x[pool].astype(np.float32)
    taken, nearest = [0], seen @ seen[0]
    while len(taken) < min(SHOWN + SPARE, len(pool)):
        nearest[taken] = np.inf
        taken.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, seen @ seen[taken[-1]])
    return [pool[i] for i in taken]


def everyone(done: Refinement, names: Collection[str]) -> dict[str, list[str]]:
    """Faces of all groups of a name, by name: of one about which nobody can say who it is."""
    found: dict[str, list[tuple[float, str]]] = {}
    for rows in done.clusters.batches(["face_id", "identity", "cluster", "core"]):
        rows = rows.filter(pc.is_in(rows["identity"], value_set=pa.array(sorted(names), pa.string())))
        for r in rows.filter(rows["cluster"].is_valid()).to_pylist():
            found.setdefault(r["identity"], []).append((-(r["core"] or 0.0), r["face_id"]))
    return {name: [face for _, face in sorted(faces)[: 2 * SHOWN]] for name, faces in found.items()}


def of_tests(done: Refinement, names: Iterable[str]) -> dict[str, list[str]]:
    """Faces to show of people of the test sets, by name; a test photo without a name is called by its face_id."""
    wanted = set(names)
    found: dict[str, list[str]] = {}
    for table in done.test_faces:
        for rows in table.batches(["face_id", "identity", "failure"]):
            for row in rows.to_pylist():
                for name in {row["identity"], row["face_id"]} & wanted if row["failure"] is None else ():
                    found.setdefault(name, []).append(row["face_id"])
    return {name: faces[:SHOWN] for name, faces in found.items()}


def place_of(person: str, persons: Mapping[str, Mapping[str, object]]) -> Place | None:
    """Where a person's faces are."""
    found = persons.get(person)
    return None if found is None else (str(found["identity"]), int(str(found["cluster"])))
