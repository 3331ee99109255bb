"""The files of a noisy data set as planned: what each shows, and from which photo of the source it is made."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

LINK = ""  # the photo itself
GROUP = "group"  # photos of several people side by side
JUNK = ("empty", "page", "truncated", "no face")
OUTLIER, LOOKALIKE, COMPANION, MISNAMED = "random person", "lookalike", "companion", "misnamed"


class PlannedFile(NamedTuple):
    """A photo of the noisy data set, and the truth about it; see pipeline/README.md, "A known truth"."""

    claimed: str  # the identity, a folder
    person: str  # "" for junk
    kind: str  # clean, outlier, flip, duplicate, junk
    planted: str  # the noise more closely: of an outlier how it was drawn, of a duplicate the edit, ...; "": none
    photo: int  # the number of the photo in the source; -1: of no photo
    make: str = LINK  # how the file is made of it: LINK, GROUP, one of JUNK, or the name of an edit
    others: tuple[int, ...] = ()  # the photos of the further people of a group photo
    path: str = ""  # below photos/; given last
    of: str = ""  # of a duplicate the path of its original


@dataclass(frozen=True)
class PlantingPlan:
    """The noisy data set: its files, whom its identities stand for, its test set, and what the mix asked for."""

    files: tuple[PlannedFile, ...]
    persons: Mapping[str, tuple[str, ...]]  # by identity
    overlap: Mapping[str, str]  # the person of each identity whose person is in the test set
    test: Mapping[str, tuple[int, ...]]  # by person the photos of the test set
    wanted: Mapping[str, int]  # by the kinds of a mix: photos, identities or persons
    planted: Mapping[str, int]
    left_out: int  # photos of the source that are used nowhere

    def counts(self) -> Counter[str]:
        """The number of photos by kind."""
        return Counter(file.kind for file in self.files)
