"""All faces that the pages of a round may show; they are read before the pages are composed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from pipeline.refinement import Refinement
from pipeline.review.pages.exemplars import choose_exemplars, faces_of_identities, faces_of_test_sets
from pipeline.review.questions.case import Case
from pipeline.review.questions.persons import (
    ClusterKey,
    PersonRecord,
    identities_without_person,
    read_person_records,
)
from pipeline.review.questions.question import GRID
from pipeline.tables.face_rows import rows_of_faces


@dataclass(frozen=True)
class PageFaces:
    """The face_ids that pages may show, by person, identity and test set."""

    persons: Mapping[str, PersonRecord]  # by name
    exemplars: Mapping[ClusterKey, list[str]]  # face_ids
    of_identities: Mapping[str, list[str]]  # face_ids of all clusters, by identity
    of_test_sets: Mapping[str, list[str]]  # face_ids, by the name of the identity in the test set
    cluster: Mapping[str, ClusterKey]  # by face_id, for the faces that split findings name
    lookalikes: Mapping[str, set[str]]  # by identity those that may be the same person, as a merge finding says
    without_person: Collection[str]  # mixed identities in which no two photos are similar

    def of_person(self, name: str | None) -> list[str]:
        """The exemplars of a person; an empty list when the data has no person of that name."""
        person = self.persons.get(name or "")
        return [] if person is None else list(self.exemplars.get(person.key, ()))

    def of_split_side(self, face: str | None) -> list[str]:
        """The exemplars of the cluster of a face in a split finding; the face alone where the cluster has none."""
        return self.exemplars.get(self.cluster.get(face or "", ClusterKey("", 0)), [face or ""])


def read_page_faces(refinement: Refinement, cases: Sequence[Case]) -> PageFaces:
    """The faces that pages about these cases may show."""
    persons = read_person_records(refinement)
    split_faces = {f for c in cases if c.finding.kind == "split" for f in (c.finding.subject, c.finding.object) if f}
    rows = rows_of_faces(refinement.clusters, split_faces, ("face_id", "identity", "cluster"))
    cluster = {face: ClusterKey(identity, number) for face, identity, number in rows if number is not None}
    lookalikes, mixed = _lookalikes_and_mixed(refinement, persons)
    without_person = mixed & identities_without_person(persons)
    wanted = {*cluster.values(), *(ClusterKey(c.identity, 0) for c in cases)}
    wanted |= {persons[name].key for c in cases for name in _names(c) if name in persons}
    wanted -= {ClusterKey(identity, 0) for identity in without_person}
    shown_whole = {
        c.identity for c in cases if c.finding.kind == "mixed" or (c.page == GRID and c.identity in without_person)
    }
    test_names = {c.finding.object for c in cases if c.finding.kind == "overlap" and c.finding.object}
    return PageFaces(
        persons,
        exemplars=choose_exemplars(
            refinement,
            wanted,
            avoid=_asked_faces(c for c in cases if c.purpose != "audit"),
            last_resort=_asked_faces(c for c in cases if c.purpose == "audit"),
        ),
        of_identities=faces_of_identities(refinement, shown_whole) if shown_whole else {},
        of_test_sets=faces_of_test_sets(refinement, test_names) if test_names else {},
        cluster=cluster,
        lookalikes=lookalikes,
        without_person=without_person,
    )


def _asked_faces(cases: Iterable[Case]) -> set[str]:
    return {c.finding.subject_face for c in cases if c.page == GRID and c.finding.subject_face}


def _names(case: Case) -> Iterator[str]:
    yield from (n for n in (case.identity, case.finding.subject, case.finding.object) if n)


def _lookalikes_and_mixed(
    refinement: Refinement, persons: Mapping[str, PersonRecord]
) -> tuple[dict[str, set[str]], set[str]]:
    """By identity those that may be the same person (merge findings), and all identities with a mixed finding."""
    lookalikes, mixed = defaultdict[str, set[str]](set), set[str]()
    for rows in refinement.judged_findings.batches(["kind", "subject", "object"]):
        mixed.update(rows.filter(pc.equal(rows["kind"], "mixed"))["subject"].to_pylist())
        merges = rows.filter(pc.equal(rows["kind"], "merge"))
        for names in zip(merges["subject"].to_pylist(), merges["object"].to_pylist(), strict=True):
            one, other = (persons[n].identity if n in persons else n for n in names)
            lookalikes[one].add(other)
            lookalikes[other].add(one)
    return lookalikes, mixed
