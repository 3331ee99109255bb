"""Persons under several identities and identities of several persons: which pairs were merged, and which were split.

A person's photos under a claimed identity count by the refined identity of most of them.
"""

from collections import Counter, defaultdict
from itertools import combinations
from typing import NamedTuple

import numpy as np

from pipeline.refined.scoring.known_truth import Truth
from pipeline.refined.scoring.scored_photos import ScoredPhotos


class Part(NamedTuple):
    """The photos of a person under a claimed identity, which is given by its code."""

    claimed: int
    person: str


class PersonIdentities:
    """The parts of a data set by truth, and the refined identity of each, None where its photos were removed."""

    def __init__(self, photos: ScoredPhotos, truth: Truth) -> None:
        codes = {name: code for code, name in enumerate(photos.claimed_identities)}
        person = {name: code for code, name in enumerate(photos.person_names)}
        self.photos = photos
        self.persons = {codes[name]: persons for name, persons in truth.persons.items() if name in codes}
        self.refined = {
            Part(claimed, name): photos.main_identities.get((claimed, person.get(name, -1)))
            for claimed, persons in sorted(self.persons.items())
            for name in persons
        }

    def of_one_person(self) -> list[tuple[Part, Part, bool]]:
        """The pairs of parts of one person, and whether they became one identity."""
        parts = defaultdict[str, list[Part]](list)
        for part in self.refined:
            parts[part.person].append(part)
        pairs = [pair for of_person in parts.values() for pair in combinations(of_person, 2)]
        return [(a, b, self.refined[a] is not None and self.refined[a] == self.refined[b]) for a, b in pairs]

    def merged(self) -> list[tuple[Part, Part]]:
        """The pairs of parts of two claimed identities that became one identity."""
        parts = defaultdict[int, list[Part]](list)
        for part, identity in self.refined.items():
            if identity is not None:
                parts[identity].append(part)
        pairs = (pair for together in parts.values() for pair in combinations(together, 2))
        return [(a, b) for a, b in pairs if a.claimed != b.claimed]

    def of_several_persons(self) -> dict[int, bool]:
        """The claimed identities of several persons, and whether the persons are apart, see ScoredPhotos.are_apart."""
        code = {name: code for code, name in enumerate(self.photos.person_names)}
        return {
            claimed: self.photos.are_apart(claimed, [code.get(name, -1) for name in persons])
            for claimed, persons in self.persons.items()
            if len(persons) > 1
        }

    def split(self) -> set[int]:
        """The claimed identities of which two refined identities or more have at least two clean photos each."""
        clean = self.photos.kept & self.photos.of("clean")
        codes = np.stack([self.photos.claimed[clean], self.photos.identity[clean]])
        pairs, count = np.unique(codes, axis=1, return_counts=True)
        return {claimed for claimed, n in Counter(pairs[0][count >= 2].tolist()).items() if n > 1}
