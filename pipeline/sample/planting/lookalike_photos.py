"""Photos of strangers who look like the person of an identity, by the vectors of an embedder."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = Mapping[int, NDArray[np.floating]]  # unit vectors [d] of photos; a photo without a face has none
MAX_COMPARED = 20_000  # photos of strangers that each identity is compared with, which bounds memory and time


def nearest_unused(
    identities: Mapping[str, Sequence[int]],
    pool: Sequence[int],
    vectors: Vectors,
    count: int,
    rng: np.random.Generator,
) -> Iterator[tuple[str, int]]:
    """`count` pairs of an identity and a place in the pool: in turn, each identity's nearest photo that is unused.

    identities: the photos that show each identity's person, whose mean is its centre; pool: photos of strangers, of
    which the first MAX_COMPARED with a vector are compared. Fewer pairs where the pool ends.
    """
    places = [k for k, photo in enumerate(pool) if photo in vectors][:MAX_COMPARED]
    centres = {
        name: np.mean([vectors[photo] for photo in photos if photo in vectors], axis=0)
        for name, photos in sorted(identities.items())
        if any(photo in vectors for photo in photos)
    }
    if not places or not centres:
        return
    x, unused = np.array([vectors[pool[k]] for k in places], np.float64), np.ones(len(places), bool)
    order = [sorted(centres)[i] for i in rng.permutation(len(centres))]
    for number in range(min(count, len(places))):
        name = order[number % len(order)]
        cosines = np.where(unused, np.round(x @ centres[name], 6), -np.inf)
        best = int(np.argmax(cosines))
        unused[best] = False
        yield name, places[best]
