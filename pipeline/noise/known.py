"""Strangers that are none: unnamed photos which show a person of the data, and the same picture twice among them.

What MegaFace's refinement looks for in its million distractors. A distractor is compared with the centres of all
persons; the threshold is a share of strangers, so what is asked for is how many are accused wrongly. Those that may be
a person are findings, too, so that people are asked about the uncertain ones; labels do not rest on them.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.noise.calibration import read_calibration
from pipeline.noise.conflicts import Source, unnamed_copies
from pipeline.noise.copies import ALIKE
from pipeline.noise.findings import findings_table
from pipeline.noise.persons import Persons, read_persons
from pipeline.noise.relations import in_tests
from pipeline.noise.score_norm import Calibration, fuse, level, some, views
from pipeline.noise.search.neighbours import connected
from pipeline.refinement import Refinement
from pipeline.tables.columns import read_vectors, texts, vectors
from pipeline.tables.table import Shard, Table, read_shard

RATE = 1e-5  # distractors, of each, to be accused wrongly: ten in a million
SUPPORT = 1e-3  # each embedder by itself sees the likeness at this rate


class Accused(NamedTuple):
    """A distractor that seems to be a person: its key, the person's name, and each embedder's likeness."""

    key: str
    person: str
    likeness: tuple[float, ...]


class Strangers(NamedTuple):
    """What was found among unnamed photos: how many have a face, who is accused, copies' keys and of what."""

    faces: int
    accused: list[Accused]
    copies: dict[str, str]


def known_shard(
    part: tuple[Shard, ...],
    *,
    root: str,
    calibration: Shard,
    persons: Sequence[Shard],
    rate: float,
    memory_bytes: int | None = None,
) -> pa.Table:
    """Whom the unnamed faces of one shard may show (misplaced); part: the embedders' shards; persons: all of them.

    rate: strangers to expect above the likeness, among all persons; memory_bytes: of the blocks of the search.
    """
    found = read_calibration(root, calibration)
    gallery = _main(root, tuple(persons), calibration)
    x, there = read_vectors(root, part)
    rows = read_shard(root, part[0], ["face_id", "identity"])
    at = np.flatnonzero(there & np.asarray(rows["identity"].is_null()))
    if not len(at) or not len(gallery.person):
        return schema.FINDINGS.empty_table()
    i, j, z = in_tests(views([v[at] for v in x], found), gallery, found, memory_bytes=memory_bytes)
    keep = fuse(z, found.weights) >= level(found.tail, rate / len(gallery.person))
    words = [f"likeness {likeness:.1f} of an unnamed photo" for likeness in z[0][keep]]
    return findings_table(
        "misplaced", texts(rows["face_id"])[at[i[keep]]], gallery.person[j[keep]], [c[keep] for c in z], words
    )


def has_unnamed(embeddings: Table) -> bool:
    """Whether there is an unnamed photo at all."""
    return any(rows["identity"].null_count for rows in embeddings.batches(["identity"]))


def answered(done: Refinement) -> dict[str, str]:
    """What people said of unnamed photos, by key: yes to showing a person of the data, or no to everybody asked."""
    said: dict[str, str] = {}
    decided = done.decisions.batches(["verdict", "who"])
    for rows, verdicts in zip(done.judged_findings.batches(["kind", "subject"]), decided, strict=True):
        for row, by in zip(rows.to_pylist(), verdicts.to_pylist(), strict=True):
            if row["kind"] == "misplaced" and by["who"] != "policy" and by["verdict"] in ("yes", "no"):
                said[row["subject"]] = "yes" if "yes" in (by["verdict"], said.get(row["subject"])) else "no"
    photos = done.photos.batches(["face_id", "key", "identity"]) if said else ()
    return {
        row["key"]: said[row["face_id"]]
        for rows in photos
        for row in rows.filter(rows["identity"].is_null()).to_pylist()
        if row["face_id"] in said
    }


def find_known(done: Refinement, *, rate: float = RATE) -> Strangers:
    """The unnamed photos of a refinement that show one of its persons, and those that show a picture again."""
    root = done.photos.root
    model = done.calibration.shards[0]
    found, persons = read_calibration(root, model), _main(root, tuple(done.persons.shards), model)
    accused: list[Accused] = []
    faces = 0
    for keys, x in unnamed(done):
        faces += len(keys)
        if len(keys) and len(persons.person):
            accused += _accused(keys, x, persons, found, rate)
    return Strangers(faces, sorted(accused), _copies(done, found))


def _copies(done: Refinement, found: Calibration) -> dict[str, str]:
    """Keys of unnamed photos that show a picture again, and of the one that stands for it: the first of their keys."""
    of = Source(done.faces.shards, done.copies.shards, tuple(t.shards for t in done.embeddings))
    least = done.thresholds["same_picture"]
    pairs = unnamed_copies(done.photos.root, of, found, alike=ALIKE, least=least)
    ids = sorted({face for pair in pairs for face in pair})
    key: dict[str, str] = {}
    for rows in done.photos.batches(["face_id", "key"]) if ids else ():
        here = rows.filter(pc.is_in(rows["face_id"], value_set=pa.array(ids)))
        key |= dict(zip(here["face_id"].to_pylist(), here["key"].to_pylist(), strict=True))
    order = sorted(key.values())
    place = {k: i for i, k in enumerate(order)}
    ends = np.array([[place[key[face]] for face in pair] for pair in pairs], np.int64).reshape(-1, 2)
    group = connected(len(order), ends[:, 0], ends[:, 1])
    first = [int(np.flatnonzero(group == g)[0]) for g in group]
    return {order[i]: order[f] for i, f in enumerate(first) if f != i}


def unnamed(done: Refinement) -> Iterator[tuple[list[str], list[NDArray[np.floating]]]]:
    """Keys [n] and each embedder's vectors [n, d] of unnamed faces, shard by shard."""
    tables = (done.photos, *done.embeddings)
    for photos, *embedded in zip(*(t.shards for t in tables), strict=True):
        rows = read_shard(tables[0].root, photos, ["key", "identity"])
        x = [vectors(read_shard(tables[0].root, shard, ["x"])["x"]) for shard in embedded]
        there = np.logical_and.reduce([np.asarray(rows["identity"].is_null()), *(seen for _, seen in x)])
        if there.any():
            yield rows["key"].filter(pa.array(there)).to_pylist(), [v[there] for v, _ in x]


@lru_cache(maxsize=1)
def _main(root: str, shards: tuple[Shard, ...], model: Shard) -> Persons:
    """The first person of each name: a further one may be nobody that a name stands for. Kept: every shard asks."""
    persons = read_persons(root, shards, model)
    main = persons.cluster == 0
    person, identity, cluster, size, shard = (column[main] for column in persons[:5])
    around, lengths = [a[main] for a in persons.around], [a[main] for a in persons.lengths]
    centres = [some(c, main) for c in persons.centres]
    return Persons(person, identity, cluster, size, shard, centres, around, lengths)


def _accused(
    keys: list[str], x: list[NDArray[np.floating]], persons: Persons, found: Calibration, rate: float
) -> Iterator[Accused]:
    i, j, z = in_tests(views(x, found), persons, found)
    many = max(1, len(persons.person))
    sure = fuse(z, found.weights) >= level(found.tail, rate / many)
    for one, tail in zip(z, found.tails, strict=True):
        sure &= one >= level(tail, SUPPORT)
    for at in np.flatnonzero(sure).tolist():
        yield Accused(keys[int(i[at])], str(persons.person[j[at]]), tuple(float(one[at]) for one in z))
