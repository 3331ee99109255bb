"""The impostor pairs of a set of photos that pass a threshold, counted for pairs of people; in blocks of photos.

A threshold is the cosine of the first impostor pair that must be rejected, up to rounding (see mates.TIE): so the
largest cosines are kept, and the pairs above the thresholds are counted in a second pass.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.mates import TIE, LargestValues, rows_by_person

PHOTOS_AT_ONCE = 256  # with 20,000 others 20 MB of cosines, and for a moment 120 MB of places
Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


class Accepted(NamedTuple):
    """Pairs of an enrolled person and another one, and how many pairs of their photos pass; arrays [k]."""

    enrolled: Numbers
    other: Numbers
    pairs: Numbers


class Genuine(NamedTuple):
    """The cosine of each pair of photos of one person, and the person."""

    cosine: Vectors
    person: Numbers


class _Block(NamedTuple):
    """Impostor pairs of photos [k]: their cosines, and the rows of both photos."""

    cosine: Vectors
    row: Numbers
    column: Numbers


def impostor_thresholds(
    x: Vectors,
    person: Numbers,
    group: Numbers,
    trials: Floats,
    *,
    far: float,
    advance: Callable[[int], None],
) -> tuple[float, Floats]:
    """The threshold of all impostor pairs at a false accept rate, and that of the pairs within each group [g].

    A pair passes if its cosine is above the threshold. x [n, d], person, group [n]: photos, sorted by group and person.
    trials [g, g]: impostor pairs. inf in a group without impostor pairs. advance: called after each block of photos.
    """
    groups = len(trials)
    every = float(np.triu(trials).sum())
    allowed = [int(far * n * (1 + 1e-9)) for n in (every, *np.diag(trials))]
    largest = [LargestValues(n + 1) for n in allowed]
    minimum = np.full(groups + 1, -np.inf)  # rises while values are added
    for block in _impostor_blocks(x, person, minimum, group, advance):
        largest[0].add(block.cosine)
        inside = group[block.row] == group[block.column]
        number = group[block.row[inside]]
        for g in np.unique(number).tolist():
            largest[1 + g].add(block.cosine[inside][number == g])
        minimum[:] = [values.minimum for values in (*largest[1:], largest[0])]
    cosines = []
    for n, values in zip(allowed, largest, strict=True):
        kept = values.sorted()
        cosines.append(float(kept[n]) + TIE if len(kept) > n else np.inf)
    return cosines[0], np.array(cosines[1:], np.float64)


def accepted_pairs(
    x: Vectors, person: Numbers, group: Numbers, *, cosine: float, own: Floats, advance: Callable[[int], None]
) -> tuple[Accepted, Accepted]:
    """The pairs that pass at the threshold `cosine`, each once; and those that pass at the enrolled person's, own [g].

    Of the latter a pair of two groups counts for each person as the enrolled one, a pair of one group once.
    """
    people = int(person.max()) + 1
    pooled: list[Numbers] = []
    directed: list[Numbers] = []
    for block in _impostor_blocks(x, person, np.append(own, cosine), group, advance):
        one, two = person[block.row], person[block.column]
        g, h = group[block.row], group[block.column]
        pooled.append((one * people + two)[block.cosine > cosine])
        directed.append((one * people + two)[block.cosine > own[g]])
        directed.append((two * people + one)[(block.cosine > own[h]) & (g != h)])
    return _counted(pooled, people), _counted(directed, people)


def genuine_cosines(x: Vectors, person: Numbers) -> Genuine:
    """Every pair of two photos of a person; person [n]: sorted."""
    cosines: list[Vectors] = [np.empty(0, np.float32)]
    persons: list[Numbers] = [np.empty(0, np.int64)]
    for number, rows in enumerate(rows_by_person(person)):
        upper = (x[rows] @ x[rows].T)[np.triu_indices(len(rows), 1)]
        cosines.append(np.asarray(upper, np.float32))
        persons.append(np.full(len(upper), number, np.int64))
    return Genuine(np.concatenate(cosines), np.concatenate(persons))


def _impostor_blocks(
    x: Vectors, person: Numbers, minimum: Floats, group: Numbers, advance: Callable[[int], None]
) -> Iterator[_Block]:
    """The impostor pairs whose cosine is above the smallest of three: of both groups, and the last; minimum [g + 1]."""
    for start in range(0, len(x), PHOTOS_AT_ONCE):
        rows = np.arange(start, min(start + PHOTOS_AT_ONCE, len(x)))
        cosines = x[rows] @ x[start:].T
        columns = np.arange(start, len(x))
        needed = np.minimum(np.minimum(minimum[group[rows]][:, None], minimum[group[columns]]), minimum[-1])
        above = (cosines > needed) & (person[rows][:, None] != person[columns]) & (columns > rows[:, None])
        at = np.flatnonzero(above)
        yield _Block(cosines.ravel()[at], start + at // len(columns), start + at % len(columns))
        advance(len(rows))


def _counted(keys: list[Numbers], people: int) -> Accepted:
    key, count = np.unique(np.concatenate([np.empty(0, np.int64), *keys]), return_counts=True)
    return Accepted(key // people, key % people, count)
