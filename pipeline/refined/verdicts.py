"""What people said, put in the terms of a refinement: the same question, whatever the groups are called this time.

A question names faces and persons. A face is the same in every run; a person made of a further group is called by
its middle face, which a new model may choose differently. So each answer also remembers a face of either side, and is
read as being about the groups in which those faces are now. What the machine no longer suspects, people may
still have said: such answers stand as findings of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.noise.findings import combine_findings
from pipeline.noise.stages import Noise
from pipeline.refinement import Refinement
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table, read_shard

Row = dict[str, Any]
Place = tuple[str, int]  # identity and group


def hear(root: str, said: pa.Table, noise: Noise, *, workers: Workers = None) -> tuple[Table, Table]:
    """The answers in this refinement's terms, and its findings with those that only people have.

    said: verdicts of people, columns as ANSWERS.
    """
    run: dict[str, Any] = {"workers": workers, "unnamed": {"root": root}}
    rows = [_plain(row) for row in said.to_pylist()]
    part = (rows, noise.clusters.shards, noise.persons.shards)
    answers = build(root, "answers", answers_shard, [part], schema=schema.ANSWERS, **run)
    part_heard = (noise.findings.shards, answers.shards)
    return answers, build(root, "heard", heard_shard, [part_heard], schema=schema.FINDINGS, **run)


def answers_shard(part: tuple[list[Row], Sequence[Shard], Sequence[Shard]], *, root: str) -> pa.Table:
    """The answers with subject, object and id as this refinement has them; part: rows, clusters and persons."""
    rows, clusters, persons = part
    given = pa.Table.from_pylist([r | {"at": _time(r["at"])} for r in rows], schema=schema.ANSWERS)
    faces = pa.array(sorted({f for r in rows for f in (r["face"], r["other"], r["subject"], r["object"]) if f}))
    place: dict[str, Place] = {}
    for shard in clusters:
        found = read_shard(root, shard, ["face_id", "identity", "cluster"])
        found = found.filter(pc.and_(pc.is_in(found["face_id"], value_set=faces), found["cluster"].is_valid()))
        place |= {r["face_id"]: (r["identity"], r["cluster"]) for r in found.to_pylist()}
    columns = ["person", "identity", "cluster", "medoid"]
    who = [r for shard in persons for r in read_shard(root, shard, columns).to_pylist()]
    return present(given, place, who)


def present(given: pa.Table, place: Mapping[str, Place], persons: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The answers as they read with these groups; one for each finding, the latest.

    place: where each face is now, by face_id; persons: person, identity, cluster, medoid.
    """
    persons = list(persons)
    at = {(p["identity"], p["cluster"]): p for p in persons}
    names = {p["person"] for p in persons}
    latest: dict[str, Row] = {}
    for row in sorted(given.to_pylist(), key=lambda r: (r["at"] is not None, r["at"], r["finding_id"])):
        subject, other = _now(row, place, at, names)
        found = schema.finding_id(row["kind"], subject, other)
        latest[found] = row | {"finding_id": found, "subject": subject, "object": other}
    return pa.Table.from_pylist([latest[f] for f in sorted(latest)], schema=schema.ANSWERS)


def _now(
    row: Row, place: Mapping[str, Place], at: Mapping[Place, Mapping[str, Any]], names: set[str]
) -> tuple[str, str | None]:
    subject, other = row["subject"], row["object"]
    if row["kind"] == "split":
        return _split(subject, other, place, at)
    if row["kind"] in ("merge", "overlap") and subject not in names:
        subject = _person(row["face"], place, at) or subject
    if row["kind"] in ("merge", "misplaced") and other not in names:
        other = _person(row["other"], place, at) or other
    if row["kind"] == "merge" and subject > other:
        subject, other = other, subject
    return subject, other


def _person(face: str | None, place: Mapping[str, Place], at: Mapping[Place, Mapping[str, Any]]) -> str | None:
    found = at.get(place[face]) if face and face in place else None
    return None if found is None else str(found["person"])


def _split(
    one: str, two: str, place: Mapping[str, Place], at: Mapping[Place, Mapping[str, Any]]
) -> tuple[str, str | None]:
    """The middle faces of the groups where two faces are now: the person's first, as a split has them."""
    if one not in place or two not in place or place[one] not in at or place[two] not in at:
        return one, two
    a, b = sorted((place[one], place[two]), key=lambda p: p[1])
    return (one, two) if a == b or a[0] != b[0] else (str(at[a]["medoid"]), str(at[b]["medoid"]))


def heard_shard(part: tuple[Sequence[Shard], Sequence[Shard]], *, root: str) -> pa.Table:
    """All findings and, where people answered what is not among them, theirs; part: findings and answers."""
    findings, answers = part
    whole = combine_findings(read_shard(root, shard) for shard in findings)
    said = pa.concat_tables(read_shard(root, shard) for shard in answers)
    said = said.filter(pc.invert(pc.is_in(said["finding_id"], value_set=whole["finding_id"].combine_chunks())))
    rows = [
        {c: r[c] for c in ("finding_id", "kind", "subject", "object")} | {"evidence": f"said by {r['who']}"}
        for r in said.to_pylist()
    ]
    return combine_findings([whole, pa.Table.from_pylist(rows, schema=schema.FINDINGS)])


def implied(findings: pa.Table, people: Mapping[str, Row]) -> dict[str, Row]:
    """What people's answers say of other findings: a face that is its name's person is nobody else."""
    own = {r["subject"]: r for r in people.values() if r["kind"] == "outlier" and r["verdict"] == "no"}
    moved = findings.filter(pc.equal(findings["kind"], "misplaced"))
    return {
        f: own[s]
        for f, s in zip(moved["finding_id"].to_pylist(), moved["subject"].to_pylist(), strict=True)
        if s in own and f not in people
    }


def noise_of(refinement: Refinement) -> Noise:
    """What `stages.find` gave, from a refinement's tables."""
    r = refinement
    return Noise(r.calibration, r.copies, r.clusters, r.persons, r.findings, dict(r.thresholds))


def _plain(row: Row) -> Row:
    """A row that can name a table: the time as text."""
    return row | {"at": None if row["at"] is None else row["at"].isoformat()}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
