"""Faces for every kind of finding: the suspect beside its person, both sides of a merge, a copy beside its original.

Of each kind some are shown: half of them where the machine was least sure, half as they come.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.scores.fusion import Calibration
from pipeline.refinement import Refinement
from pipeline.report.thumbnails import thumbnails
from pipeline.review.questions.belief import finding_beliefs, genuine_scores
from pipeline.tables.face_rows import rows_of_faces
from pipeline.tables.table import Table

Row = dict[str, Any]
STRIP = 4  # faces that stand for a person
NO_PICTURE = ("unreadable", "no_face")
DOUBTED = 24  # photos shown of those that went and were perhaps right


class Side(NamedTuple):
    """Faces that stand beside each other, and who or what they are."""

    words: str
    faces: tuple[str, ...]


class Entry(NamedTuple):
    """A finding as it is shown."""

    kind: str
    verdict: str
    who: str
    names: tuple[str, ...]
    words: str
    belief: float
    sides: tuple[Side, ...]


class Gallery(NamedTuple):
    """What is shown, how many findings there are by kind and verdict, photos likely lost, and pictures by face."""

    entries: list[Entry]
    counts: dict[tuple[str, str], int]
    lost: list[Entry]
    expected_lost: float
    pictures: dict[str, str]  # addresses that hold the picture


def gather(done: Refinement, calibration: Calibration, *, each: int, most_bytes: int) -> Gallery:
    """Findings to show, at most `each` of a kind, with pictures of at most most_bytes together."""
    table = done.judged_findings.read()
    decided = done.decisions.read(["verdict", "who"])
    verdicts = np.asarray(decided["verdict"].to_numpy(), object)
    policy = np.where(np.asarray(decided["who"].to_numpy(), object) == "policy", "the machine", "people or a list")
    genuine = genuine_scores(done, calibration)
    belief = finding_beliefs(table, verdicts, calibration, genuine, persons=len(done.persons))
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for kind, verdict in zip(table["kind"].to_pylist(), verdicts.tolist(), strict=True):
        counts[kind, verdict] += 1
    dropped = _dropped(done, table)
    shown = _chosen(np.asarray(table["kind"].to_numpy(), object), belief, each)
    lost = [i for i in np.argsort(belief, kind="stable").tolist() if dropped[i]][:DOUBTED]
    rows = {i: table.slice(i, 1).to_pylist()[0] for i in {*shown, *lost}}
    sides = sides_of(done, list(rows.values()))
    made = {
        i: Entry(
            r["kind"],
            str(verdicts[i]),
            str(policy[i]),
            sides[r["finding_id"]][0],
            r["evidence"] or "",
            float(belief[i]),
            sides[r["finding_id"]][1],
        )
        for i, r in rows.items()
    }
    entries, missed = [made[i] for i in shown], [made[i] for i in lost]
    wanted = [f for e in _in_turn([*entries, *missed]) for s in e.sides for f in s.faces]
    expected = float((1 - belief[dropped]).sum())
    return Gallery(entries, dict(counts), missed, expected, thumbnails([done], wanted, most_bytes))


def _dropped(done: Refinement, table: pa.Table) -> Any:
    """Which findings [n] a photo went for as an outlier."""
    found = set[str]()
    for labels in done.labels.batches(["identity", "reason", "finding_id"]):
        gone = pc.and_(labels["identity"].is_null(), pc.equal(labels["reason"], "outlier"))
        found.update(labels.filter(gone)["finding_id"].drop_null().to_pylist())
    return np.array([f in found for f in table["finding_id"].to_pylist()], bool)


def _chosen(kind: Any, belief: Any, each: int) -> list[int]:
    found = []
    for name in sorted(set(kind.tolist())):
        rows = np.flatnonzero(kind == name)
        unsure = rows[np.argsort(np.abs(belief[rows] - 0.5), kind="stable")][: each - each // 2].tolist()
        rest = [i for i in rows.tolist() if i not in set(unsure)]  # in the order of their ids, which says nothing
        found += [*unsure, *rest[: each - len(unsure)]]
    return found


def _in_turn(entries: Sequence[Entry]) -> Iterable[Entry]:
    """One of each kind after the other, so that a budget is fair."""
    place: dict[str, int] = defaultdict(int)
    order = []
    for entry in entries:
        place[entry.kind] += 1
        order.append((place[entry.kind], entry))
    return [e for _, e in sorted(order, key=lambda o: o[0])]


def sides_of(done: Refinement, rows: Sequence[Row]) -> dict[str, tuple[tuple[str, ...], tuple[Side, ...]]]:
    """For each finding the names it is about, and its faces."""
    persons = {
        r["person"]: (r["identity"], r["cluster"])
        for r in done.persons.read(["person", "identity", "cluster"]).to_pylist()
    }
    named = {w for r in rows for w in (r["subject"], r["object"]) if w}
    clusters = rows_of_faces(done.clusters, named, ("face_id", "identity", "cluster"))
    place = {face: (identity, cluster) for face, identity, cluster in clusters}
    groups = {persons[w] for r in rows for w in (r["subject"], r["object"]) if w in persons} | set(place.values())
    groups |= {(identity, 0) for identity, _ in place.values()}
    groups |= {(w, c) for r in rows if r["kind"] == "mixed" for w in [r["subject"]] for c in range(8)}
    strips = strips_of(done.clusters, groups)
    tests = _test_faces(done, {r["object"] for r in rows if r["kind"] == "overlap" and r["object"]})
    return {r["finding_id"]: _shown(r, persons, place, strips | tests) for r in rows}


def _shown(
    row: Row,
    persons: Mapping[str, tuple[str, int]],
    place: Mapping[str, tuple[str, int]],
    strips: Mapping[Any, tuple[str, ...]],
) -> tuple[tuple[str, ...], tuple[Side, ...]]:
    kind, subject, other = row["kind"], row["subject"], row["object"]

    def person(word: str) -> Side:
        at = persons.get(word, (word, 0))
        return Side(word, tuple(f for f in strips.get(at, strips.get(word, ())) if f != subject))

    home = (place[subject][0] or "") if subject in place else persons.get(subject, (subject, 0))[0]
    there = (place[other][0] or "") if other in place else other or ""
    names = tuple(dict.fromkeys(n for n in (home, there) if n))
    if kind in ("outlier", "misplaced"):
        claimed = [person(home)] if kind == "misplaced" and home != other else []
        return names, (Side(f"the photo, claimed as {home}", (subject,)), *claimed, person(other or home))
    if kind == "split":
        each = [
            Side(f"{w} of {home}", tuple(dict.fromkeys([f, *strips.get(place.get(f), ())]))[:STRIP])
            for w, f in (("one person", subject), ("another", other))
        ]
        return names, tuple(each)
    if kind in ("duplicate", "conflict"):
        words = ("goes", "stays") if kind == "duplicate" else (home, there)
        return names, (Side(words[0], (subject,)), Side(words[1] or "the other", (other,)))
    if kind == "mixed":
        faces = [f for c in range(8) for f in strips.get((subject, c), ())]
        return names, (Side(f"under the name {subject}", tuple(faces[: 2 * STRIP])),)
    if kind in ("merge", "overlap"):
        return names, (person(subject), person(other or ""))
    return names, () if kind in NO_PICTURE else (Side(home, (subject,)),)


def strips_of(clusters: Table, groups: set[tuple[str, int]]) -> dict[Any, tuple[str, ...]]:
    """The faces most like the person, of each group of faces by name and number."""
    best: dict[Any, list[tuple[float, str]]] = defaultdict(list)
    names = pa.array(sorted({n for n, _ in groups if n}), pa.string())
    for rows in clusters.batches(["face_id", "identity", "cluster", "core"]):
        for r in rows.filter(pc.is_in(rows["identity"], value_set=names)).to_pylist():
            key = (r["identity"], r["cluster"])
            if key in groups:
                core = -np.inf if r["core"] is None else r["core"]
                best[key] = sorted([*best[key], (-core, r["face_id"])])[: STRIP + 1]
    return {key: tuple(f for _, f in faces)[:STRIP] for key, faces in best.items()}


def _test_faces(done: Refinement, names: set[str]) -> dict[Any, tuple[str, ...]]:
    found: dict[Any, tuple[str, ...]] = {}
    for table in done.test_faces:
        for rows in table.batches(["face_id", "identity"]):
            for face, name in zip(rows["face_id"].to_pylist(), rows["identity"].to_pylist(), strict=True):
                for key in {name, face} & names:
                    found[key] = (*found.get(key, ()), face)[:STRIP]
    return found
