"""Matches people's answers, which may be of an earlier run, to the persons and findings of a refinement.

A face has the same id in every run, but a further person of an identity is named after its medoid, which may be another
face in the next run. So an answer is stored with one face of its subject and one of its object, and is taken to be
about the persons in whose clusters these faces are now. An answer without a finding in this run still counts: a finding
is added for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
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

Cluster = tuple[str, int]  # identity, and number of the cluster among its photos


class PersonCluster(NamedTuple):
    """A cluster of faces that is a person."""

    person: str  # name
    identity: str
    cluster: int
    medoid: str  # face_id


class PersonClusters:
    """The clusters of a refinement that are persons, and the cluster of each face that is stored with an answer."""

    def __init__(self, cluster_of_face: Mapping[str, Cluster], persons: Iterable[PersonCluster]) -> None:
        self.cluster_of_face = cluster_of_face
        self.persons = {(p.identity, p.cluster): p for p in persons}
        self.names = {p.person for p in self.persons.values()}

    def with_faces(self, cluster_of_face: Mapping[str, Cluster]) -> "PersonClusters":
        """The same persons, with the clusters of other faces."""
        other = copy(self)
        other.cluster_of_face = cluster_of_face
        return other

    def person_of(self, face: str | None) -> str | None:
        """The name of the person in whose cluster a face is; None for a face that is in no person's cluster."""
        cluster = self.cluster_of_face.get(face or "")
        return self.persons[cluster].person if cluster in self.persons else None

    def split_medoids(self, face: str, other: str) -> tuple[str, str]:
        """The medoids of the clusters of two faces, cluster 0 first, as a split finding names them.

        The two faces themselves, if they are not in the clusters of two persons under one identity.
        """
        a, b = sorted((self.cluster_of_face.get(f, ("", -1)) for f in (face, other)), key=lambda cluster: cluster[1])
        if a == b or a[0] != b[0] or a not in self.persons or b not in self.persons:
            return face, other
        return self.persons[a].medoid, self.persons[b].medoid


def match_answers(root: str, answers: pa.Table, noise: Noise, *, workers: Workers = None) -> tuple[Table, Table]:
    """Two tables: the answers as they refer to this refinement, and its findings with those that answers add.

    answers: people's verdicts, columns as ANSWERS.
    """
    run: dict[str, Any] = {"workers": workers, "unhashed": {"root": root}}
    rows = [_as_text(row) for row in answers.to_pylist()]
    part = (rows, noise.clusters.shards, noise.persons.shards)
    matched = build(root, "answers", answers_shard, [part], schema=schema.ANSWERS, **run)
    parts = [(noise.findings.shards, matched.shards)]
    return matched, build(root, "heard", findings_with_people_shard, parts, schema=schema.FINDINGS, **run)


def answers_shard(part: tuple[list[dict[str, Any]], Sequence[Shard], Sequence[Shard]], *, root: str) -> pa.Table:
    """The answers as they refer to this refinement; part: answers as rows, the shards of clusters and of persons."""
    rows, clusters, persons = part
    answers = pa.Table.from_pylist([_with_time(row) for row in rows], schema=schema.ANSWERS)
    named = {row[column] for row in rows for column in ("face", "other", "subject", "object")}
    faces = pa.array(sorted(filter(None, named)))
    cluster_of_face: dict[str, Cluster] = {}
    for shard in clusters:
        table = read_shard(root, shard, ["face_id", "identity", "cluster"])
        table = table.filter(pc.and_(pc.is_in(table["face_id"], value_set=faces), table["cluster"].is_valid()))
        face_ids, identities, numbers = (table[c].to_pylist() for c in ("face_id", "identity", "cluster"))
        cluster_of_face |= dict(zip(face_ids, zip(identities, numbers, strict=True), strict=True))
    tables = [read_shard(root, shard, PersonCluster._fields) for shard in persons]
    person_clusters = [PersonCluster(**row) for table in tables for row in table.to_pylist()]
    return current_answers(answers, PersonClusters(cluster_of_face, person_clusters))


def current_answers(answers: pa.Table, clusters: PersonClusters) -> pa.Table:
    """The answers with the subject, object and finding_id of a refinement; of several about one finding the latest.

    answers: columns as ANSWERS; clusters: of the refinement.
    """
    latest: dict[str, dict[str, Any]] = {}
    for row in sorted(answers.to_pylist(), key=lambda r: (r["at"] is not None, r["at"], r["finding_id"])):
        subject, other = _current_sides(row, clusters)
        finding_id = schema.finding_id(row["kind"], subject, other)
        latest[finding_id] = row | {"finding_id": finding_id, "subject": subject, "object": other}
    return pa.Table.from_pylist([latest[f] for f in sorted(latest)], schema=schema.ANSWERS)


def _current_sides(row: Mapping[str, Any], clusters: PersonClusters) -> tuple[str, str | None]:
    """Subject and object of an answer, with persons by their names in the refinement."""
    kind, subject, other = row["kind"], row["subject"], row["object"]
    if kind == "split":
        return clusters.split_medoids(subject, other)
    if kind in ("merge", "overlap") and subject not in clusters.names:
        subject = clusters.person_of(row["face"]) or subject
    if kind in ("merge", "misplaced") and other not in clusters.names:
        other = clusters.person_of(row["other"]) or other
    return (other, subject) if kind == "merge" and subject > other else (subject, other)


def findings_with_people_shard(part: tuple[Sequence[Shard], Sequence[Shard]], *, root: str) -> pa.Table:
    """All findings, and one more for each answer about none of them; part: the shards of findings and of answers."""
    findings = combine_findings(read_shard(root, shard) for shard in part[0])
    answers = pa.concat_tables(read_shard(root, shard) for shard in part[1])
    return with_added_findings(findings, answers)


def with_added_findings(findings: pa.Table, answers: pa.Table) -> pa.Table:
    """The findings (columns as FINDINGS), and one more for each answer (columns as ANSWERS) about none of them."""
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
    """The answers, and further ones that follow from them; columns as ANSWERS.

    If people say that a face is the person of its identity, it is not another person: each misplaced finding about the
    face that has no answer gets the answer "no".
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


def noise_tables(refinement: Refinement) -> Noise:
    """The tables of a refinement from which labels are made, in the form in which the stages of noise return them."""
    r = refinement
    return Noise(r.calibration, r.copies, r.clusters, r.persons, r.findings, dict(r.thresholds), r.quality)


def _as_text(row: dict[str, Any]) -> dict[str, Any]:
    """An answer with its time as text: the table's address is made from the answers and takes plain values only."""
    return row | {"at": None if row["at"] is None else row["at"].isoformat()}


def _with_time(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"at": None if row["at"] is None else datetime.fromisoformat(row["at"])}
