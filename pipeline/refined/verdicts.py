"""People's answers, matched to the groups of faces of a refinement.

An answer names faces and persons. A face has the same id in every run, but a further person of an identity is called
after its medoid, and that may be another face in the next run. So an answer also records one face of either side, and
is read as being about the groups in which those faces are now. Answers about what the detectors do not suspect any
more still count: they become findings of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.noise.findings import combine_findings
from pipeline.noise.stages import Noise
from pipeline.refinement import Refinement
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table, read_shard

Group = tuple[str, int]  # identity and cluster


class PersonGroup(NamedTuple):
    """A group of faces that is a person: what it is called, its identity and cluster, and its medoid's face_id."""

    person: str
    identity: str
    cluster: int
    medoid: str


class Groups:
    """The groups of a refinement: in which group a face is, and which person a group is."""

    def __init__(self, group_of_face: Mapping[str, Group], persons: Iterable[PersonGroup]) -> None:
        self.group_of_face = group_of_face
        self.persons = {(p.identity, p.cluster): p for p in persons}
        self.names = {p.person for p in self.persons.values()}

    def person_of(self, face: str | None) -> str | None:
        """The person in whose group a face is; None for a face that is in no person's group."""
        group = self.group_of_face.get(face or "")
        return self.persons[group].person if group in self.persons else None

    def split_of(self, face: str, other: str) -> tuple[str, str]:
        """The medoids of the groups of two faces, cluster 0 first, as a split finding names them.

        The faces themselves where they are not in two groups of one identity that are persons.
        """
        a, b = sorted((self.group_of_face.get(f, ("", -1)) for f in (face, other)), key=lambda group: group[1])
        if a == b or a[0] != b[0] or a not in self.persons or b not in self.persons:
            return face, other
        return self.persons[a].medoid, self.persons[b].medoid


def match_answers(root: str, answers: pa.Table, noise: Noise, *, workers: Workers = None) -> tuple[Table, Table]:
    """The answers about this refinement's groups, and its findings together with others that only people have.

    answers: people's verdicts, columns as ANSWERS.
    """
    run: dict[str, Any] = {"workers": workers, "unnamed": {"root": root}}
    rows = [_as_text(row) for row in answers.to_pylist()]
    part = (rows, noise.clusters.shards, noise.persons.shards)
    matched = build(root, "answers", answers_shard, [part], schema=schema.ANSWERS, **run)
    parts = [(noise.findings.shards, matched.shards)]
    return matched, build(root, "heard", findings_with_people_shard, parts, schema=schema.FINDINGS, **run)


def answers_shard(part: tuple[list[dict[str, Any]], Sequence[Shard], Sequence[Shard]], *, root: str) -> pa.Table:
    """The answers about this refinement's groups; part: answers as rows, the shards of clusters and of persons."""
    rows, clusters, persons = part
    answers = pa.Table.from_pylist([_with_time(row) for row in rows], schema=schema.ANSWERS)
    named = {row[column] for row in rows for column in ("face", "other", "subject", "object")}
    faces = pa.array(sorted(filter(None, named)))
    group_of_face: dict[str, Group] = {}
    for shard in clusters:
        table = read_shard(root, shard, ["face_id", "identity", "cluster"])
        table = table.filter(pc.and_(pc.is_in(table["face_id"], value_set=faces), table["cluster"].is_valid()))
        face_ids, identities, numbers = (table[c].to_pylist() for c in ("face_id", "identity", "cluster"))
        group_of_face |= dict(zip(face_ids, zip(identities, numbers, strict=True), strict=True))
    tables = [read_shard(root, shard, PersonGroup._fields) for shard in persons]
    groups = Groups(group_of_face, [PersonGroup(**row) for table in tables for row in table.to_pylist()])
    return current_answers(answers, groups)


def current_answers(answers: pa.Table, groups: Groups) -> pa.Table:
    """The answers with subject, object and finding_id by these groups; of several about one finding the latest."""
    latest: dict[str, dict[str, Any]] = {}
    for row in sorted(answers.to_pylist(), key=lambda r: (r["at"] is not None, r["at"], r["finding_id"])):
        subject, other = _current_sides(row, groups)
        finding_id = schema.finding_id(row["kind"], subject, other)
        latest[finding_id] = row | {"finding_id": finding_id, "subject": subject, "object": other}
    return pa.Table.from_pylist([latest[f] for f in sorted(latest)], schema=schema.ANSWERS)


def _current_sides(row: Mapping[str, Any], groups: Groups) -> tuple[str, str | None]:
    """Subject and object of an answer, persons by what they are called now."""
    kind, subject, other = row["kind"], row["subject"], row["object"]
    if kind == "split":
        return groups.split_of(subject, other)
    if kind in ("merge", "overlap") and subject not in groups.names:
        subject = groups.person_of(row["face"]) or subject
    if kind in ("merge", "misplaced") and other not in groups.names:
        other = groups.person_of(row["other"]) or other
    return (other, subject) if kind == "merge" and subject > other else (subject, other)


def findings_with_people_shard(part: tuple[Sequence[Shard], Sequence[Shard]], *, root: str) -> pa.Table:
    """All findings, and one for each answer that is about none of them; part: the shards of findings and answers."""
    findings = combine_findings(read_shard(root, shard) for shard in part[0])
    answers = pa.concat_tables(read_shard(root, shard) for shard in part[1])
    answers = answers.filter(
        pc.invert(pc.is_in(answers["finding_id"], value_set=findings["finding_id"].combine_chunks()))
    )
    rows = [
        {column: row[column] for column in ("finding_id", "kind", "subject", "object")}
        | {"evidence": f"said by {row['who']}"}
        for row in answers.to_pylist()
    ]
    return combine_findings([findings, pa.Table.from_pylist(rows, schema=schema.FINDINGS)])


def with_implied_answers(answers: pa.Table, findings: pa.Table) -> pa.Table:
    """The answers, and those that follow from them; columns as ANSWERS.

    A face that people say is the person of its identity is not another person: each misplaced finding about it without
    an answer of its own gets the answer "no".
    """
    own = answers.filter(pc.and_(pc.equal(answers["kind"], "outlier"), pc.equal(answers["verdict"], "no")))
    unanswered = pc.invert(pc.is_in(findings["finding_id"], value_set=answers["finding_id"].combine_chunks()))
    misplaced = findings.filter(pc.and_(pc.equal(findings["kind"], "misplaced"), unanswered))
    row_of_face = {face: row for row, face in enumerate(own["subject"].to_pylist())}
    row = pa.array([row_of_face.get(face) for face in misplaced["subject"].to_pylist()], pa.int64())
    implied = own.take(row.drop_null())
    ids = misplaced["finding_id"].filter(row.is_valid())
    implied = implied.set_column(implied.schema.get_field_index("finding_id"), "finding_id", ids)
    return pa.concat_tables([answers, implied])


def noise_of(refinement: Refinement) -> Noise:
    """The tables of a refinement that its labels rest on, as the stages of finding noise returned them."""
    r = refinement
    return Noise(r.calibration, r.copies, r.clusters, r.persons, r.findings, dict(r.thresholds))


def _as_text(row: dict[str, Any]) -> dict[str, Any]:
    """An answer with its time as text: answers are part of the address of the answers table."""
    return row | {"at": None if row["at"] is None else row["at"].isoformat()}


def _with_time(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"at": None if row["at"] is None else datetime.fromisoformat(row["at"])}
