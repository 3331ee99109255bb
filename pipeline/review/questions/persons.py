"""The persons of a refinement by name, without their embeddings, for questions and pages."""

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.refinement import Refinement


class ClusterKey(NamedTuple):
    """One cluster of the photos under an identity; cluster 0 is the identity's person, -1 is not a cluster."""

    identity: str
    cluster: int


class PersonRecord(NamedTuple):
    """One person under an identity: its cluster, its number of photos and that of the identity, and its medoid."""

    identity: str
    cluster: int
    size: int  # photos of the person that are not duplicates
    photos_of_identity: int  # all photos under the identity that are not duplicates
    medoid: str  # face_id

    @property
    def key(self) -> ClusterKey:
        """The cluster that is this person."""
        return ClusterKey(self.identity, self.cluster)


def read_person_records(refinement: Refinement) -> dict[str, PersonRecord]:
    """Every person of a refinement by name: the identity, or identity~medoid for a further person under it."""
    columns = ["person", "identity", "cluster", "size", "of", "medoid"]
    rows = refinement.persons.read(columns)
    return {name: PersonRecord(*row) for name, *row in zip(*(rows[c].to_pylist() for c in columns), strict=True)}


def read_medoids(refinement: Refinement) -> dict[str, str]:
    """The face_id of the medoid of each person of a refinement, by the person's name."""
    return {name: person.medoid for name, person in read_person_records(refinement).items()}


def identities_without_person(persons: Mapping[str, PersonRecord]) -> set[str]:
    """The identities in which no two photos are similar, so that no photo can be compared with a person."""
    return {name for name, person in persons.items() if person.cluster == 0 and person.size == 1}
