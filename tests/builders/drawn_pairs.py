"""Drawn test sets: cosines of genuine and impostor pairs, all pairs of some people's photos, and a pair set on disk."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import schema


class ScoredPairs(NamedTuple):
    """The cosine, whether the pair is genuine, and the fold of each pair [n]: the inputs of verify()."""

    cosine: NDArray[np.floating]
    same: NDArray[np.bool_]
    fold: NDArray[np.intp]


def scored_pairs(n: int, seed: int, *, digits: int = 9, folds: int = 10) -> ScoredPairs:
    """n pairs; the genuine ones have larger cosines on average. digits: fewer digits give more equal cosines."""
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.5
    same[:2] = True, False
    cosine = np.round(np.clip(rng.normal(np.where(same, 0.5, 0.2), 0.2), -1, 1), digits)
    return ScoredPairs(cosine, same, rng.permutation(n) % folds)


def all_pairs(people: int, photos: int, seed: int) -> tuple[ScoredPairs, NDArray[np.intp]]:
    """All pairs of some people's photos, and each pair's two people; some people are easier to verify than others."""
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.normal(size=(people, 1, 1)) * 0.4)
    x = rng.normal(size=(people, 1, 16)) + rng.normal(size=(people, photos, 16)) * spread
    x = (x / np.linalg.norm(x, axis=-1, keepdims=True)).reshape(-1, 16)
    person = np.repeat(np.arange(people), photos)
    i, j = np.triu_indices(len(x), 1)
    a, b = np.where((i + j) % 2, j, i), np.where((i + j) % 2, i, j)
    pairs = ScoredPairs((x[a] * x[b]).sum(1), person[a] == person[b], person[a] % 10)
    return pairs, np.stack([person[a], person[b]], 1)


def pair_set(folder: Path, pairs: list[tuple], *, faces: int = 5, without: tuple[int, ...] = ()) -> Path:
    """A pair set on disk of uniformly grey faces f0, f1, ... with brightness 40 i + 20.

    pairs: rows of schema.PAIRS; without: the numbers of photos that have no face.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jpegs = [cv2.imencode(".jpg", np.full((112, 112, 3), 40 * i + 20, np.uint8))[1].tobytes() for i in range(faces)]
    columns = [
        [f"f{i}" for i in range(faces)],
        [f"p{i // 2}" for i in range(faces)],
        [None if i in without else j for i, j in enumerate(jpegs)],
    ]
    table = pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, schema.TEST_FACES, strict=True)], schema=schema.TEST_FACES
    )
    pq.write_table(table, folder / "faces.parquet", row_group_size=2)
    rows = [dict(zip(schema.PAIRS.names, pair, strict=True)) for pair in pairs]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema.PAIRS), folder / "pairs.parquet")
    return folder
