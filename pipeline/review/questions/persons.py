"""The persons of a refinement by name, as questions and pages need them: without their embeddings."""

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.refinement import Refinement


class ClusterKey(NamedTuple):
    """One cluster of the photos under an identity; cluster 0 is the identity's largest, -1 means outside any."""

    identity: str
    cluster: int


class PersonRecord(NamedTuple):
    """One person found under an identity: its cluster, its photos, all photos of the identity, its middle face."""

    identity: str
    cluster: int
    size: int  # photos of the person that are no duplicates
    of_identity: int  # such photos under the identity
    medoid: str  # face_id

    @property
    def key(self) -> ClusterKey:
        """The cluster that is this person."""
        return ClusterKey(self.identity, self.cluster)


def read_person_records(refinement: Refinement) -> dict[str, PersonRecord]:
    """Every person of a refinement by its name: the identity, or identity~... for a further person under it."""
    columns = ["person", "identity", "cluster", "size", "of", "medoid"]
    rows = refinement.persons.read(columns)
    return {name: PersonRecord(*row) for name, *row in zip(*(rows[c].to_pylist() for c in columns), strict=True)}


def read_medoids(refinement: Refinement) -> dict[str, str]:
    """The face_id of the middle face of each person of a refinement, by the person's name."""
    return {name: person.medoid for name, person in read_person_records(refinement).items()}


def identities_without_person(persons: Mapping[str, PersonRecord]) -> set[str]:
    """Identities in which no two photos are alike, so that no photo can be said to be unlike the rest."""
    return {name for name, person in persons.items() if person.cluster == 0 and person.size == 1}
