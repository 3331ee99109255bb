"""Cases that hardly occur in photos at hand, as unit vectors: people who age, and twins."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.floating]


def ageing_person(
    rng: np.random.Generator, centre: Vectors, photos: int, *, ages: int, drift: float, noise: float = 0.8
) -> Vectors:
    """The unit vectors [photos, d] of a person who was photographed at several ages.

    centre [d]: the person's unit vector; drift: length of the change from one age to the next; noise: length of a
    photo's own deviation. With a drift the photos of one age are alike, and those of far ages less so.
    """
    d = len(centre)
    steps = rng.normal(size=(ages, d)) * drift / np.sqrt(d)
    at_age = centre + np.cumsum(steps, axis=0) - steps.sum(0) / 2
    x = at_age[rng.integers(0, ages, photos)] + rng.normal(size=(photos, d)) * noise / np.sqrt(d)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def as_twins(x: Vectors, of_first: NDArray[np.bool_], *, likeness: float) -> Vectors:
    """The unit vectors x [n, d] of two people, with the second one's moved so that both centres have this cosine.

    of_first [n]: which rows show the first person. Each photo keeps its own difference from its person's centre, so
    both people stay as coherent as they were, and differ from each other in one direction.
    """
    one, two = (x[rows].mean(0) for rows in (of_first, ~of_first))
    first, second = (centre / np.linalg.norm(centre) for centre in (one, two))
    across = second - (second @ first) * first
    across /= np.linalg.norm(across)
    twin = likeness * first + np.sqrt(1 - likeness**2) * across
    moved = np.where(of_first[:, None], x, x - two + np.linalg.norm(two) * twin)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))
