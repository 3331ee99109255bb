"""The faces of a finding in sides: a photo beside its person, or the two persons of a merge.

A person is shown by the FACES_A_PERSON faces of its cluster that score highest against the person of their identity.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.findings import Finding
from pipeline.refinement import Refinement
from pipeline.tables.face_rows import rows_of_faces
from pipeline.tables.table import Table

FACES_A_PERSON = 4  # faces shown for a person
MIXED_CLUSTERS = 8  # clusters whose faces are shown for an identity without a person
WITHOUT_FACE = ("erased", "unreadable", "no_face")
Cluster = tuple[str | None, int]  # identity, and number of the cluster among its photos


class Side(NamedTuple):
    """Faces shown together under one caption."""

    caption: str
    faces: tuple[str, ...]  # face_ids


class FindingSides(NamedTuple):
    """The names and the faces of a finding."""

    names: tuple[str, ...]  # of the identities and persons that the finding is about
    sides: tuple[Side, ...]


class _FaceLookup(NamedTuple):
    """The clusters of the persons and faces of some findings, and the face_ids to show for them."""

    cluster_of_person: Mapping[str, Cluster]  # by the person's name
    cluster_of_face: Mapping[str, Cluster]  # by face_id
    faces_of_cluster: Mapping[Cluster, tuple[str, ...]]
    faces_of_test_name: Mapping[str, tuple[str, ...]]  # by identity or face_id in a test set

    def faces_of(self, name: str) -> tuple[str, ...]:
        """The face_ids to show for a person, for an identity, or for an identity or a photo of a test set."""
        cluster = self.cluster_of_person.get(name, (name, 0))
        return self.faces_of_cluster.get(cluster, self.faces_of_test_name.get(name, ()))


def sides_of_findings(refinement: Refinement, findings: Sequence[Finding]) -> dict[str, FindingSides]:
    """The names and faces of each finding, by finding_id."""
    cluster_of_person = clusters_of_persons(refinement)
    names = {name for f in findings for name in (f.subject, f.object) if name}
    clusters = rows_of_faces(refinement.clusters, names, ("face_id", "identity", "cluster"))
    cluster_of_face = {face: (identity, cluster) for face, identity, cluster in clusters}
    wanted: set[Cluster] = {cluster_of_person[name] for name in names if name in cluster_of_person}
    wanted |= {key for identity, cluster in cluster_of_face.values() for key in ((identity, cluster), (identity, 0))}
    wanted |= {(f.subject, cluster) for f in findings if f.kind == "mixed" for cluster in range(MIXED_CLUSTERS)}
    faces_of_cluster = faces_of_clusters(refinement.clusters, wanted)
    test_names = {f.object for f in findings if f.kind == "overlap" and f.object}
    lookup = _FaceLookup(
        cluster_of_person, cluster_of_face, faces_of_cluster, _test_faces(refinement.test_faces, test_names)
    )
    return {f.finding_id: _sides(f, lookup) for f in findings}


def _sides(finding: Finding, lookup: _FaceLookup) -> FindingSides:
    kind, subject, other = finding.kind, finding.subject, finding.object or ""
    subject_identity = _identity_of(subject, lookup)
    other_identity = (lookup.cluster_of_face[other][0] or "") if other in lookup.cluster_of_face else other
    names = tuple(dict.fromkeys(name for name in (subject_identity, other_identity) if name))

    def person(name: str, caption: str = "the person of {}") -> Side:
        return Side(caption.format(name), tuple(face for face in lookup.faces_of(name) if face != subject))

    if kind in ("outlier", "misplaced"):
        photo = Side(f"the photo, claimed as {subject_identity}", (subject,))
        claimed = [person(subject_identity)] if kind == "misplaced" and subject_identity != other else []
        return FindingSides(names, (photo, *claimed, person(other or subject_identity)))
    if kind == "split":
        return FindingSides(
            names, (_cluster_side("one person", subject, lookup), _cluster_side("another", other, lookup))
        )
    if kind == "duplicate":
        return FindingSides(names, (Side("removed", (subject,)), Side("kept", (other,))))
    if kind == "conflict":
        return FindingSides(
            names, (Side(subject_identity, (subject,)), Side(other_identity or "the other photo", (other,)))
        )
    if kind == "mixed":
        faces = [f for c in range(MIXED_CLUSTERS) for f in lookup.faces_of_cluster.get((subject, c), ())]
        return FindingSides(names, (Side(f"claimed as {subject}", tuple(faces[: 2 * FACES_A_PERSON])),))
    if kind == "hub":
        return FindingSides(names, (person(subject),))
    if kind == "merge":
        return FindingSides(names, (person(subject), person(other)))
    if kind == "overlap":
        return FindingSides(names, (person(subject), person(other, "in a test set: {}")))
    return FindingSides(names, () if kind in WITHOUT_FACE else (Side(subject_identity, (subject,)),))


def _identity_of(subject: str, lookup: _FaceLookup) -> str:
    """The claimed identity of a face or a person."""
    identity, _ = lookup.cluster_of_face.get(subject) or lookup.cluster_of_person.get(subject, (subject, 0))
    return identity or ""


def _cluster_side(caption: str, face: str, lookup: _FaceLookup) -> Side:
    """The side of a split: a face, then further faces of its cluster."""
    cluster = lookup.cluster_of_face.get(face)
    further = lookup.faces_of_cluster.get(cluster, ()) if cluster else ()
    faces = tuple(dict.fromkeys([face, *further]))[:FACES_A_PERSON]
    return Side(f"{caption} of {_identity_of(face, lookup)}", faces)


def clusters_of_persons(refinement: Refinement) -> dict[str, Cluster]:
    """The cluster of each person of a refinement, by the person's name."""
    rows = refinement.persons.read(["person", "identity", "cluster"])
    persons, identities, clusters = (rows[c].to_pylist() for c in ("person", "identity", "cluster"))
    return dict(zip(persons, zip(identities, clusters, strict=True), strict=True))


def faces_of_clusters(clusters: Table, wanted: Collection[Cluster]) -> dict[Cluster, tuple[str, ...]]:
    """The face_ids to show for each wanted cluster: those that score highest against the person of their identity.

    clusters: the clusters table.
    """
    best: dict[Cluster, list[tuple[float, str]]] = defaultdict(list)
    identities = pa.array(sorted({identity for identity, _ in wanted if identity}), pa.string())
    columns = ["identity", "cluster", "core", "face_id"]
    for rows in clusters.batches(columns):
        of_identities = rows.filter(pc.is_in(rows["identity"], value_set=identities))
        for identity, cluster, score, face in zip(*(of_identities[c].to_pylist() for c in columns), strict=True):
            if (identity, cluster) in wanted:
                order = np.inf if score is None else -score
                best[identity, cluster] = sorted([*best[identity, cluster], (order, face)])[: FACES_A_PERSON + 1]
    return {cluster: tuple(face for _, face in faces)[:FACES_A_PERSON] for cluster, faces in best.items()}


def _test_faces(tables: Sequence[Table], names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The face_ids to show for names of the test sets; a name is an identity, or the face_id of a photo without one."""
    faces: dict[str, tuple[str, ...]] = {}
    for table in tables:
        for rows in table.batches(["face_id", "identity"]):
            for face, identity in zip(rows["face_id"].to_pylist(), rows["identity"].to_pylist(), strict=True):
                for name in {identity, face} & set(names):
                    faces[name] = (*faces.get(name, ()), face)[:FACES_A_PERSON]
    return faces
