"""The group of each person of a test set, from the user's file of persons and groups."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flows.refine.calibration.groups import parse_groups
from pipeline.errors import UserError
from pipeline.review.answers.listed_photos import identity_finder
from pipeline.sources.survey import examples
from trainer.evaluation.by_group.group_pairs import NO_GROUP

log = logging.getLogger("refinery")
MAX_GROUPS = 32  # whose impostors are compared with each other


@dataclass(frozen=True)
class PersonGroups:
    """The groups of people; of: the group of each person, by the name that the user's file gives.

    A name may be that of a folder above people (as African in RFW, asian_females in BFW): its group holds for all below
    that have no row of their own.
    """

    of: Mapping[str, str]

    @classmethod
    def read(cls, path: str) -> "PersonGroups | None":
        """The groups in a file with the columns identity and group; None for the path "".

        Raises UserError for a file that cannot be read, and for one group or more than MAX_GROUPS.
        """
        if not path:
            return None
        groups = cls(parse_groups(path))
        if not 2 <= len(groups.names) <= MAX_GROUPS:
            raise UserError(f"{path} has {len(groups.names)} groups: give 2 to {MAX_GROUPS} to compare them")
        return groups

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The groups, sorted; a group's number is its place here."""
        return tuple(sorted(set(self.of.values())))

    def numbers(self, persons: Sequence[str | None], test_set: str) -> NDArray[np.int64]:
        """The number of the group [n] of each person, NO_GROUP for none; how many people have none is logged."""
        find = identity_finder(self.of)
        number = {name: i for i, name in enumerate(self.names)}
        known = {person: self._group(person, find) for person in set(persons) if person is not None}
        if unknown := sorted(person for person, group in known.items() if group is None):
            log.warning("%s: %d of %d people have no group: %s", test_set, len(unknown), len(known), examples(unknown))
        codes = {person: number[group] for person, group in known.items() if group is not None}
        return np.array([codes.get(person, NO_GROUP) if person is not None else NO_GROUP for person in persons], int)

    def _group(self, person: str, find: Callable[[str], str | None]) -> str | None:
        """The group of a person, or else of the nearest folder above that has one."""
        parts = person.split("/")
        for n in range(len(parts), 0, -1):
            if (name := find("/".join(parts[:n]))) is not None:
                return self.of[name]
        return None
