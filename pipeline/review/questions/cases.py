"""Which findings need eyes: each with what is asked, how likely the machine is wrong, and how many photos hang on it.

What an answer cannot change is not asked: a photo that goes for another reason, a name that goes as a whole.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.calibration import read_calibration
from pipeline.noise.findings import score_columns
from pipeline.noise.policy import judge
from pipeline.noise.score_norm import Calibration, Floats, fuse, rate
from pipeline.refinement import Refinement
from pipeline.review.questions.belief import SAME, Own, holds, own_faces, stranger, wrong
from pipeline.review.questions.question import GRID, PAIR
from pipeline.review.questions.subject import about
from pipeline.schema import finding_id
from pipeline.tables.table import Table, read_shard

GONE = ("duplicate", "unreadable", "no_face", "poor", "unnamed", "overlap")  # reasons that no answer changes
ASKABLE = ("outlier", "conflict", "misplaced", "merge", "split", "overlap", "mixed")
EVEN = 0.5  # the belief that a photo is not the person whom only people saw among a name's photos
ODD = 0.01  # probability of being somebody else at which a face inside its person's group may be asked about
Row = dict[str, Any]


class Case(NamedTuple):
    """One thing worth asking."""

    about: Row  # the finding: its id, kind, subject, object, and a face of either side
    page: str
    identity: str  # the name on whose page it stands
    guess: str
    words: str
    wrong: float  # probability that what happens without an answer is wrong
    photos: int  # whose fate hangs on it
    same_means: str  # what "the same person" says of the finding
    belief: float  # the machine's probability that the finding holds
    purpose: str = "case"
    expected: str | None = None  # of gold
    also: tuple[Row, ...] = ()  # further findings that the same answer is about


class World(NamedTuple):
    """What there is to ask about, small enough to hold: persons, and the faces that findings name."""

    persons: dict[str, Row]  # by name: identity, cluster, size, medoid
    identity: dict[str, str]  # of each face that a finding names
    group: dict[str, int]  # its group in that name, -1: none
    reason: dict[str, str]  # why it went, "" when it stays
    medoids: dict[str, int]  # the faces of each person, by its middle face


def cases(root: str, done: Refinement) -> list[Case]:
    """Everything that could be asked of a refinement, in no order; `wrong` says what is worth it."""
    findings = done.judged_findings.read()
    decided = done.decisions.read(["verdict"])["verdict"]
    denied = pc.and_(pc.equal(findings["kind"], "mixed"), pc.equal(decided, "no"))
    seen = findings.filter(denied)["subject"].to_pylist()  # by people: of a name without a person policy never says no
    findings = findings.filter(pc.is_in(findings["kind"], value_set=pa.array(ASKABLE)))
    calibration = read_calibration(root, done.calibration.shards[0])
    verdicts, usual = judge(findings, done.thresholds, calibration), own(done, calibration)
    p = holds(findings, verdicts, calibration, usual, len(done.persons))
    risk = wrong(p, verdicts, keep=done.options.undecided == "keep")
    rows, world = findings.to_pylist(), look(done, findings)
    said = words(findings, calibration, len(world.persons))
    medoid = {name: r["medoid"] for name, r in world.persons.items()}
    made = [
        Case(
            about(row, medoid),
            GRID if row["kind"] == "outlier" else PAIR,
            _home(row, world),
            str(v),
            text,
            float(w),
            _photos(row, world),
            "yes" if row["kind"] in SAME else "no",
            round(float(b), 4),
        )
        for row, v, text, w, b in zip(rows, verdicts, said, risk, p, strict=True)
        if row["kind"] != "conflict"
    ]
    named = {r["subject"] for r in rows}
    people = [c for c in _seen_by_people(done, nobody(world.persons) & {*seen}) if c.about["subject"] not in named]
    made = [*_open([*_grouped(made, world), *people], world)]
    made += _inside(done, calibration, usual, named | {c.about["subject"] for c in people})
    return _with_conflicts(made, [r for r in rows if r["kind"] == "conflict"], world)


def own(done: Refinement, calibration: Calibration) -> Own:
    """What one person's faces look like in this data."""
    columns = ("core", "second")[: len(calibration.tails)]
    rows = done.clusters.read(["cluster", *columns])
    core = [rows[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in columns]
    total = fuse(core, calibration.weights)
    return own_faces(total, rows["cluster"].fill_null(-1).to_numpy(), calibration)


def look(done: Refinement, findings: pa.Table) -> World:
    """What the findings name, gathered shard by shard."""
    persons = {
        r["person"]: r for r in done.persons.read(["person", "identity", "cluster", "size", "of", "medoid"]).to_pylist()
    }
    named = pa.array(sorted({f for c in ("subject", "object") for f in findings[c].to_pylist() if f}))
    identity, group, reason = {}, {}, {}
    for r in among(done.clusters, named, ["face_id", "identity", "cluster"]):
        identity[r["face_id"]], group[r["face_id"]] = r["identity"], -1 if r["cluster"] is None else r["cluster"]
    for r in among(done.labels, named, ["face_id", "identity", "reason"]):
        reason[r["face_id"]] = "" if r["identity"] else r["reason"]
    return World(persons, identity, group, reason, {r["medoid"]: r["size"] for r in persons.values()})


def among(table: Table, faces: pa.Array, columns: Sequence[str]) -> Iterable[Row]:
    """The rows of these faces, shard by shard."""
    for shard in table.batches(columns):
        yield from shard.filter(pc.is_in(shard["face_id"], value_set=faces)).to_pylist()


def words(findings: pa.Table, calibration: Calibration, persons: int) -> list[str]:
    """The machine's score of each finding in words that need no figures of likeness."""
    scores = score_columns(findings)[: len(calibration.tails)]
    total: Floats = fuse(scores, calibration.weights)
    far = np.where(np.isfinite(total), rate(calibration.tail, total), np.nan)
    return [_words(k, f, persons) for k, f in zip(findings["kind"].to_pylist(), far.tolist(), strict=True)]


def _words(kind: str, found: float, persons: int) -> str:
    """found: the share of strangers that are as alike; nan when there is nothing to be like."""
    if np.isnan(found):
        return "the machine has nothing to compare with"
    if kind in SAME:
        expected = found * persons
        return (
            f"of {min(10**6, round(1 / expected)):,} people met like this, one would be a chance lookalike"
            if (expected < 0.5)
            else "a chance lookalike would be no surprise"
        )
    if found < 1e-6:
        return "fewer than one stranger in a million looks this much like the person"
    if found > 0.4:
        return "no more like this person than any stranger"
    return f"one stranger in {max(2, round(1 / max(found, 1e-9))):,} looks this much like the person"


def _home(row: Row, world: World) -> str:
    """The name on whose page a finding stands."""
    if row["kind"] == "outlier" or (row["kind"] == "misplaced" and not world.identity.get(row["subject"])):
        return str(row["object"])  # an unnamed photo stands on the page of the name that it may belong to
    if row["subject"] in world.persons:
        return str(world.persons[row["subject"]]["identity"])
    return str(world.identity.get(row["subject"]) or row["subject"])


def _photos(row: Row, world: World) -> int:
    kind, subject, other = row["kind"], row["subject"], row["object"]
    if kind in ("outlier", "misplaced"):
        return 1
    if kind == "split":
        return world.medoids.get(other, 1)
    sizes = [world.persons[s]["size"] for s in (subject, other) if s in world.persons]
    if kind == "merge":
        return int(min(sizes, default=1))
    return int(world.persons[subject]["of" if kind == "mixed" else "size"]) if sizes else 1


def _inside(done: Refinement, calibration: Calibration, usual: Own, found: Collection[str]) -> Iterator[Case]:
    """Faces inside a person's group that the machine finds well enough to say nothing, and not so well as to be sure.

    found: faces of which something was said.
    """
    tables = (done.clusters, done.labels)
    for groups, labels in zip(*(t.shards for t in tables), strict=True):
        rows = read_shard(tables[0].root, groups, ["face_id", "identity", "cluster", "core", "second"])
        stays = read_shard(tables[1].root, labels, ["identity"])["identity"].is_valid()
        rows = rows.filter(pc.and_(stays, pc.equal(rows["cluster"], 0)))
        core = [rows[c].to_numpy(zero_copy_only=False).astype(np.float64) for c in ("core", "second")]
        total = fuse(core[: len(calibration.tails)], calibration.weights)
        odd = np.where(total < usual.mean, stranger(total, calibration.tail, usual), 0)
        at = np.flatnonzero(odd >= ODD)
        chosen, far = rows.take(pa.array(at)), rate(calibration.tail, total[at])
        columns = (chosen["face_id"].to_pylist(), chosen["identity"].to_pylist(), odd[at].tolist(), far.tolist())
        for face, name, p, share in zip(*columns, strict=True):
            if face not in found:
                said = {"finding_id": finding_id("outlier", face, name), "kind": "outlier", "subject": face}
                yield Case(
                    said | {"object": name, "face": face, "other": None},
                    GRID,
                    name,
                    "no",
                    _words("outlier", share, 1),
                    p,
                    1,
                    "no",
                    round(p, 4),
                )


def nobody(persons: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Names in which no two photos are alike, so that nothing can be said to be unlike them; persons: by name."""
    return {name for name, p in persons.items() if p["cluster"] == 0 and p["size"] == 1}


def _seen_by_people(done: Refinement, names: Collection[str]) -> Iterator[Case]:
    """All photos that stay of names in which people see a person and the machine sees nobody: which of them are it?"""
    wanted = pa.array(sorted(names), pa.string())
    for shard in done.labels.batches(["face_id", "claimed", "identity"]) if names else ():
        own = pc.and_(pc.equal(shard["identity"], shard["claimed"]), pc.is_in(shard["claimed"], value_set=wanted))
        for row in shard.filter(own.fill_null(False)).to_pylist():
            face, name = row["face_id"], row["claimed"]
            said = {"finding_id": finding_id("outlier", face, name), "kind": "outlier", "subject": face}
            yield Case(
                said | {"object": name, "face": face, "other": None},
                GRID,
                name,
                "unsure",
                "no two photos of this name are alike to the machine",
                EVEN,
                1,
                "no",
                EVEN,
            )


def _grouped(made: list[Case], world: World) -> list[Case]:
    """Stray faces of one group that may be one and the same other person are one question."""
    groups: dict[tuple[Any, ...], list[Case]] = defaultdict(list)
    for i, case in enumerate(made):
        face, kind = case.about["subject"], case.about["kind"]
        group = world.group.get(face, -1)
        key = (case.identity, group, case.about["object"]) if kind == "misplaced" and group >= 0 else (i,)
        groups[key].append(case)
    found = []
    for same in groups.values():
        first = min(same, key=lambda c: (-c.wrong, c.about["finding_id"]))
        also = tuple(c.about for c in same if c is not first)
        found.append(first._replace(photos=sum(c.photos for c in same), also=also))
    return found


def _open(made: list[Case], world: World) -> list[Case]:
    """Those that an answer can change: a face that goes elsewhere, or with its whole group, is asked about there."""
    elsewhere = {
        a["subject"] for c in made if c.about["kind"] == "misplaced" and c.guess != "no" for a in (c.about, *c.also)
    }
    parted = {(p["identity"], p["cluster"]) for p in world.persons.values() if p["cluster"] > 0}

    def matters(case: Case) -> bool:
        face = case.about["subject"]
        if case.about["kind"] == "outlier":
            there = (case.identity, world.group.get(face, -1))
            return face not in elsewhere and there not in parted and world.reason.get(face) not in GONE
        unnamed = case.about["kind"] == "misplaced" and world.reason.get(face) == "unnamed"
        return case.about["kind"] in ("overlap", "merge", "mixed") or unnamed or world.reason.get(face) not in GONE

    return [case for case in made if matters(case)]


def _with_conflicts(made: list[Case], conflicts: list[Row], world: World) -> list[Case]:
    """One picture under two names is asked about under both: at least one of them is wrong."""
    text = "the same picture also stands under the name {}"
    found = {c.about["finding_id"]: c for c in made}
    for row in conflicts:
        for face, twin in ((row["subject"], row["object"]), (row["object"], row["subject"])):
            name = world.identity.get(face)
            if name is None or world.reason.get(face) in GONE or world.reason.get(twin) in GONE:
                continue
            key = finding_id("outlier", face, name)
            there = {"finding_id": key, "kind": "outlier", "subject": face, "object": name, "face": face, "other": None}
            case = found.get(key) or Case(there, GRID, name, "unsure", "", 0.5, 1, "no", 0.5)
            said = text.format(world.identity.get(twin, "of a test set"))
            found[key] = case._replace(wrong=max(case.wrong, 0.5), words=said, guess="unsure", belief=0.5)
    return list(found.values())
