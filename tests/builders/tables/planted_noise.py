"""Rows of drawn persons with every kind of label noise, and the true labels of each row."""

import numpy as np
from numpy.typing import NDArray

from tests.builders.tables.drawn_vectors import person, photos_of

PEOPLE = 60
# key, identity, vector or no face, number of the picture
Row = tuple[str, str | None, NDArray[np.floating] | None, int]


class PlantedNoise:
    """The rows of a data set and of a test set; truth: the kind of noise and the person of each key."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.centres = [person(self.rng) for _ in range(PEOPLE)]
        self.rows: list[Row] = []
        self.test_rows: list[Row] = []
        self.truth: dict[str, tuple[str, int | None]] = {}

    def add(self, identity, vectors, kind, shown=None, picture=None) -> None:
        """Add rows of one identity; shown: the person; picture: the number of an existing picture, for a duplicate."""
        for x in vectors:
            number = len(self.rows)
            key = f"{identity}/{number:05d}.jpg"
            self.rows.append((key, identity, x, number if picture is None else picture))
            self.truth[key] = (kind, shown)

    def photos(self, shown: int, count: int) -> NDArray[np.floating]:
        """Vectors of photos of person `shown`."""
        return photos_of(self.centres[shown], count, self.rng)

    def outliers(self, count: int) -> list[NDArray[np.floating]]:
        """Vectors of persons with one photo each."""
        return [person(self.rng) for _ in range(count)]


def planted_noise(seed: int) -> PlantedNoise:
    """Sixty persons with eight photos each, and every kind of noise."""
    w = PlantedNoise(seed)
    for name, p in [(f"p{p:02d}", p) for p in range(PEOPLE)] + [(f"q{p:02d}", p) for p in range(4)]:
        w.add(name, w.photos(p, 8), "clean", p)  # the first four persons have two identities
        w.add(name, w.outliers(3), "outlier")
    for p in (10, 11, 12):
        w.add(f"p{p}", photos_of(person(w.rng), 7, w.rng), "clean", 100 + p)  # these identities have two persons
    for p in (20, 21, 22, 23):
        w.add(f"p{p}", w.photos(p + 10, 1), "flip", p + 10)  # these photos have the identity of another person
    for p in (40, 41, 42):
        first = next(r for r in w.rows if r[1] == f"p{p}")
        w.add(f"p{p}", [first[2]], "duplicate", p, first[3])
    w.add("p50", photos_of(person(w.rng), 3, w.rng), "bystander")  # beside eight photos of the person
    w.add("p51", [None], "no_face")
    w.add("zz", w.outliers(4), "mixed")
    w.add(None, w.outliers(1), "unnamed")
    w.rows = sorted((w.rows[i] for i in w.rng.permutation(len(w.rows))), key=lambda r: (r[1] or "", r[0]))
    w.test_rows = [(f"t{p}", f"T{p}", w.photos(p, 1)[0], 10**6 + p) for p in (0, 55)]
    w.test_rows += [(f"t{k}", f"T{k}", person(w.rng), 10**6 + k) for k in range(100, 130)]
    return w
