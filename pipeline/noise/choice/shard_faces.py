"""The faces among which the photos of one shard choose: main faces and further faces, as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.noise.choice.consensus import IdentityFaces
from pipeline.noise.scores.score_norm import FaceVectors, as_double, take_rows

Rows = NDArray[np.int64]


class Choice(NamedTuple):
    """A face that is chosen for its photo: see choices.CHOICES."""

    row: int  # in ShardFaces
    person: str | None
    score: float
    main: float | None


@dataclass(frozen=True)
class ShardFaces:
    """The faces of all photos of those identities of a shard that have further faces in doubt."""

    ids: NDArray[np.object_]  # [n] face_id
    photo: Rows  # [n]: the row of the photo in the shard
    further: NDArray[np.bool_]  # [n]: not the main face of its photo
    vectors: list[FaceVectors]  # for each embedder
    photo_ids: NDArray[np.object_]  # for each row of the shard: the face_id of the photo
    identities: NDArray[np.object_]  # likewise: the claimed identity
    picture: Rows  # likewise: the row of the photo that this one is a duplicate of, or its own
    first: NDArray[np.bool_]  # likewise: the main face is in the cluster of its identity's person

    def of_identities(self) -> Iterator[Rows]:
        """The rows of the faces of each identity, photo by photo, the main face first."""
        order = np.lexsort((np.arange(len(self.photo)), self.photo))
        names = self.identities[self.photo[order]]
        edges = np.flatnonzero(names[1:] != names[:-1]) + 1
        yield from np.split(order, edges) if len(order) else ()

    def of_identity(self, rows: Rows) -> IdentityFaces:
        """The faces of one identity; rows: of these faces."""
        photo = self.photo[rows]
        vectors = [as_double(take_rows(v, rows)) for v in self.vectors]
        further = self.further[rows]
        return IdentityFaces(photo, self.picture[photo], further, self.first[photo] & ~further, vectors)
