"""Photos that two refinements treat differently, each beside the person of its name and what either found it to be.

Photos are matched by face_id, which digests source and key: two roots are compared of which the sources are called the
same. Of each difference one photo of each name is shown, then a second, in the order of their ids, which say nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refinement import Refinement
from pipeline.report.gallery import Side, sides_of, strips_of
from pipeline.report.thumbnails import thumbnails
from pipeline.tables.face_rows import rows_of_faces

KINDS = 20  # differences of which faces are shown, the most frequent ones; the table has all
NOT_THERE = "not there"
Pair = tuple[str, str]  # what becomes of a photo in A and in B
Treated = tuple[str, str]  # what becomes of a photo, and the name that it moves to


class Difference(NamedTuple):
    """A photo, what becomes of it in A and in B, the names it is about, and its faces."""

    pair: Pair
    names: tuple[str, ...]
    sides: tuple[Side, ...]


class Differing(NamedTuple):
    """How many photos differ in which way, the most frequent first; those shown, and pictures by face."""

    counts: list[tuple[Pair, int]]
    entries: list[Difference]
    pictures: dict[str, str]


class _Seen(NamedTuple):
    """A photo as one refinement has it: its names, the person of its name, and who or what it was found to be."""

    names: tuple[str, ...]
    home: Side
    others: tuple[Side, ...]


def differing(one: Refinement, two: Refinement, *, each: int, most_bytes: int) -> Differing:
    """Photos treated differently, at most `each` of a kind, with pictures of at most most_bytes together."""
    counts, ids = _counted(one, two, each)
    shown = [pair for pair, _ in counts if ids.get(pair)][:KINDS]
    faces = {f for pair in shown for f in ids[pair]}
    seen = [_seen(done, faces) for done in (one, two)]
    strips = {f for of in seen for s in of.values() for side in (s.home, *s.others) for f in side.faces}
    clusters = rows_of_faces(one.clusters, strips, ("face_id", "identity", "cluster"))
    group = {face: (identity, cluster) for face, identity, cluster in clusters}
    entries = [
        Difference(
            pair,
            tuple(dict.fromkeys([*seen[0][f].names, *seen[1][f].names])),
            tuple(_beside(f, seen[0][f], seen[1][f], group)),
        )
        for place in range(each)
        for pair in shown
        for f in ids[pair][place : place + 1]
    ]
    wanted = [f for e in entries for s in e.sides for f in s.faces]  # one of each kind in turn: a budget is fair
    return Differing(counts, entries, thumbnails([one, two], wanted, most_bytes))


def _counted(one: Refinement, two: Refinement, each: int) -> tuple[list[tuple[Pair, int]], dict[Pair, list[str]]]:
    """Photos by what becomes of them in A and in B, and some ids of each; one table's fates are held at a time."""
    first = {face: fate for face, _, fate in _fates(one)}
    counts: Counter[Pair] = Counter()
    ids: dict[Pair, list[tuple[str, str]]] = defaultdict(list)
    seen = 0
    for face, name, b in _fates(two):
        a = first.get(face)
        seen += a is not None
        if a == b:
            continue
        pair = (NOT_THERE, b[0]) if a is None else (a[0], b[0] if b[0] != a[0] else f"{b[0]}, to another name")
        counts[pair] += 1
        if a is not None:
            ids[pair].append((name, face))
    if len(first) > seen:
        counts["in A alone", ""] = len(first) - seen
    return sorted(counts.items(), key=lambda c: (-c[1], c[0])), {p: _by_names(f)[:each] for p, f in ids.items()}


def _by_names(found: list[tuple[str, str]]) -> list[str]:
    """The faces of names and faces, one of each name, then a second of each that has one, and so on."""
    place: Counter[str] = Counter()
    order = []
    for name, face in sorted(found):
        order.append((place[name], face))
        place[name] += 1
    return [face for _, face in sorted(order)]


def _fates(done: Refinement) -> Iterator[tuple[str, str, Treated]]:
    """Each photo, its claimed name, and what becomes of it; equal fates are one object, so they take little room."""
    known: dict[tuple[str | None, ...], Treated] = {}
    for rows in done.labels.batches(["face_id", "claimed", "identity", "reason"]):
        for face, claimed, identity, reason in zip(*(c.to_pylist() for c in rows.columns), strict=True):
            moved = identity if identity != claimed else None
            key = (identity and "", moved, reason)
            if key not in known:
                words = f"removed: {reason}" if identity is None else f"moved: {reason}" if moved else "kept"
                known[key] = (words, moved or "")
            yield face, claimed or "", known[key]


def _seen(done: Refinement, faces: set[str]) -> dict[str, _Seen]:
    columns = ("face_id", "claimed", "identity", "finding_id")
    labels = {row[0]: dict(zip(columns, row, strict=True)) for row in rows_of_faces(done.labels, faces, columns)}
    asked = pa.array(sorted({r["finding_id"] for r in labels.values() if r["finding_id"]}), pa.string())
    found = [
        r
        for t in done.judged_findings.batches()
        for r in t.filter(pc.is_in(t["finding_id"], value_set=asked)).to_pylist()
    ]
    shown = sides_of(done, found)
    persons = {
        r["person"]: (r["identity"], r["cluster"])
        for r in done.persons.read(["person", "identity", "cluster"]).to_pylist()
    }
    names = {n for r in labels.values() for n in (r["claimed"], r["identity"]) if n}
    strips = strips_of(done.clusters, {persons.get(n, (n, 0)) for n in names})

    def person(name: str | None) -> Side:
        return Side(name or "nobody", strips.get(persons.get(name or "", (name, 0)), ()))

    return {
        f: _Seen(
            tuple(n for n in (r["claimed"], r["identity"]) if n),
            person(r["claimed"]),
            (*shown.get(r["finding_id"], ((), ()))[1], person(r["identity"])),
        )
        for f, r in labels.items()
    }


def _beside(face: str, one: _Seen, two: _Seen, group: Mapping[str, Any]) -> Iterator[Side]:
    """The photo, the person of its name, and what else A and B hold against it; group: of a face, in A.

    A person who is there already is not shown again. Other faces of it in B do not make it another one.
    """
    yield Side(f"the photo, claimed as {one.home.words}", (face,))
    there = {face}
    candidates = [one.home, *one.others, two.home._replace(words=f"{two.home.words}, as B sees it"), *two.others]
    for side in candidates:
        faces = tuple(f for f in side.faces if f != face)
        known = {*faces, *(_groups(faces, group))}
        if faces and not known & there:
            there |= known
            yield side._replace(faces=faces)


def _groups(faces: Sequence[str], group: Mapping[str, Any]) -> Iterator[str]:
    """The groups of a strip's faces, as words; a face alone, a copy say, stands for itself."""
    if len(faces) > 1:
        yield from (f"{g[0]}\0{g[1]}" for f in faces if (g := group.get(f)) and g[1] is not None and g[1] >= 0)
