"""Small exported data sets of drawn pictures, one pattern for each identity: training data of the trainer's tests."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.sources.record_io.writer import Sample, write_record_io


def pictures(classes: int, each: int, *, size: int = 112, seed: int = 0) -> list[tuple[int, bytes]]:
    """Labels and JPEGs in random order: a pattern for each class, with a little noise for each photo."""
    rng = np.random.default_rng(seed)
    rows = []
    for label in range(classes):
        pattern = cv2.resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (size, size))
        for _ in range(each):
            noisy = np.clip(pattern + rng.normal(0, 12, pattern.shape), 0, 255).astype(np.uint8)
            rows.append((label, cv2.imencode(".jpg", noisy)[1].tobytes()))
    return [rows[i] for i in rng.permutation(len(rows))]


def parquet(folder: Path, classes: int = 6, each: int = 8, *, group: int = 8, seed: int = 0) -> Path:
    """A folder as `refinery export --format parquet` writes it, with two files of small row groups."""
    folder.mkdir(parents=True)
    rows = pictures(classes, each, seed=seed)
    for part, chosen in enumerate((rows[: len(rows) // 2], rows[len(rows) // 2 :])):
        write(folder / f"part-{part:05d}.parquet", chosen, group=group)
    return folder


def write(file: Path, rows: list[tuple[int, bytes]], *, group: int = 8) -> None:
    """Write one refined Parquet file of labels and JPEGs."""
    names = [f"{file.stem}/{i}" for i in range(len(rows))]
    columns = [names, names, [f"p{label}" for label, _ in rows], [r[0] for r in rows], [r[1] for r in rows]]
    pq.write_table(pa.table(columns, schema=schema.REFINED), file, row_group_size=group)


def record_io(folder: Path, classes: int = 6, each: int = 8, *, seed: int = 0) -> Path:
    """A folder as `refinery export --format recordio` writes it."""
    folder.mkdir(parents=True)
    rows = sorted(pictures(classes, each, seed=seed), key=lambda r: r[0])
    samples = (Sample(label, jpeg, f"p{label}/{i}") for i, (label, jpeg) in enumerate(rows))
    write_record_io(folder, samples, layout="identity_ranges", names=[f"p{i}" for i in range(classes)])
    return folder
