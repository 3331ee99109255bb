"""Strangers that are none: unnamed photos which show a person of the data, and the same file twice among them.

What MegaFace's refinement looks for in its million distractors. A distractor is compared with the centres of all
persons; the threshold is a share of strangers, so what is asked for is how many are accused wrongly.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.noise.calibration import read_calibration
from pipeline.noise.columns import vectors
from pipeline.noise.identities import Persons, read_persons
from pipeline.noise.likeness import Calibration, fuse, level
from pipeline.noise.overlap import in_tests
from pipeline.refined.latest import Refinement
from pipeline.table import read_shard

RATE = 1e-5  # distractors, of each, to be accused wrongly: ten in a million
SUPPORT = 1e-3  # each embedder by itself sees the likeness at this rate


class Accused(NamedTuple):
    """A distractor that seems to be a person: its key, the person's name, and each embedder's likeness."""

    key: str
    person: str
    likeness: tuple[float, ...]


class Strangers(NamedTuple):
    """What was found among unnamed photos: how many have a face, who is accused, keys of copies and of what."""

    faces: int
    accused: list[Accused]
    copies: dict[str, str]


def find_known(done: Refinement, *, rate: float = RATE) -> Strangers:
    """The unnamed photos of a refinement that show one of its persons, and those whose file came before."""
    root = done.tables["photos"].root
    found = read_calibration(root, done.tables["calibration"].shards[0])
    persons = _main(read_persons(root, done.tables["persons"].shards, found))
    accused: list[Accused] = []
    copies: dict[str, str] = {}
    first: dict[str, str] = {}
    faces = 0
    for keys, sha, x in unnamed(done):
        faces += len(keys)
        if len(keys) and len(persons.person):
            accused += _accused(keys, x, persons, found, rate)
        for key, digest in zip(keys, sha, strict=True):
            if digest is not None and first.setdefault(digest, key) != key:
                copies[key] = first[digest]
    return Strangers(faces, sorted(accused), copies)


def unnamed(done: Refinement) -> Iterator[tuple[list[str], list[str | None], list[NDArray[np.floating]]]]:
    """Keys [n], digests of the files [n] and each embedder's vectors [n, d] of unnamed faces, shard by shard."""
    roles = sorted(r for r in done.tables if r.startswith("embeddings_"))
    tables = [done.tables[r] for r in ("photos", "faces", *roles)]
    for photos, faces, *embedded in zip(*(t.shards for t in tables), strict=True):
        rows = read_shard(tables[0].root, photos, ["key", "identity"])
        x = [vectors(read_shard(tables[0].root, shard, ["x"])["x"]) for shard in embedded]
        there = np.logical_and.reduce([np.asarray(rows["identity"].is_null()), *(seen for _, seen in x)])
        if there.any():
            sha = read_shard(tables[0].root, faces, ["sha"])["sha"]
            keep = pa.array(there)
            yield rows["key"].filter(keep).to_pylist(), sha.filter(keep).to_pylist(), [v[there] for v, _ in x]


def _main(persons: Persons) -> Persons:
    """The first person of each name: a further one may be nobody that a name stands for."""
    main = persons.cluster == 0
    columns = (persons.person[main], persons.identity[main], persons.cluster[main], persons.size[main])
    return Persons(*columns, [c[main] for c in persons.centres], [m[main] for m in persons.means])


def _accused(
    keys: list[str], x: list[NDArray[np.floating]], persons: Persons, found: Calibration, rate: float
) -> Iterator[Accused]:
    i, j, z = in_tests(x, persons.centres, found)
    many = max(1, len(persons.person))
    sure = fuse(z, found.weights) >= level(found.tail, rate / many)
    for one, tail in zip(z, found.tails, strict=True):
        sure &= one >= level(tail, SUPPORT)
    for at in np.flatnonzero(sure).tolist():
        yield Accused(keys[int(i[at])], str(persons.person[j[at]]), tuple(float(one[at]) for one in z))
