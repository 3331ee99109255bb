"""Drawn answers: cosines of same and different pairs, and whole small worlds of people whose pairs hang together."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import schema


class Answers(NamedTuple):
    cosine: NDArray[np.floating]
    same: NDArray[np.bool_]
    fold: NDArray[np.intp]


def answers(n: int, seed: int, *, digits: int = 9, folds: int = 10) -> Answers:
    """n cosines, those of same pairs larger on the whole; few digits make ties."""
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.5
    same[:2] = True, False
    cosine = np.round(np.clip(rng.normal(np.where(same, 0.5, 0.2), 0.2), -1, 1), digits)
    return Answers(cosine, same, rng.permutation(n) % folds)


def world(people: int, photos: int, seed: int) -> tuple[Answers, NDArray[np.intp]]:
    """All pairs of photos of people of whom some are told more easily than others, and the two people of each pair."""
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.normal(size=(people, 1, 1)) * 0.4)
    x = rng.normal(size=(people, 1, 16)) + rng.normal(size=(people, photos, 16)) * spread
    x = (x / np.linalg.norm(x, axis=-1, keepdims=True)).reshape(-1, 16)
    who = np.repeat(np.arange(people), photos)
    i, j = np.triu_indices(len(x), 1)
    a, b = np.where((i + j) % 2, j, i), np.where((i + j) % 2, i, j)
    return Answers((x[a] * x[b]).sum(1), who[a] == who[b], who[a] % 10), np.stack([who[a], who[b]], 1)


def pair_set(folder: Path, pairs: list[tuple], *, faces: int = 5, without: tuple[int, ...] = ()) -> Path:
    """A pair set of flat grey faces f0, f1, ... of brightness 40 i + 20; pairs: rows of schema.PAIRS."""
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
