"""Vectors in the form that MegaFace's development kit reads, and the results that it writes.

A vector lies beside its photo's path, with the algorithm's name behind it: Aaron_Eckhart/Aaron_Eckhart_1.png_r50.bin
holds four 32-bit integers (length, 1, 4 bytes, 5 for float32, OpenCV's matrix head) and the numbers. What belongs to a
trial says a list, {"path": [...]}; results come as {"cmc": [ranks from 0, rates], "roc": [false, true accept rates]}.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

HEAD = struct.Struct("<4i")
FLOAT32 = 5
PROBES, DISTRACTORS = "facescrub", "megaface"
Vector = NDArray[np.float32]


def place(folder: str | Path, kind: str, photo: str, name: str) -> Path:
    """Where the vector of a photo lies: kind is PROBES or DISTRACTORS, name the algorithm's."""
    return Path(folder, kind, f"{photo}_{name}.bin")


def write(file: Path, x: NDArray[Any]) -> None:
    """One vector [d]. Raises UserError where it cannot be written."""
    write_all(file, [x], rows=len(x), dim=1)


def write_all(file: Path, blocks: Iterable[NDArray[Any]], *, rows: int, dim: int) -> None:
    """Vectors [rows, dim], given block by block, in one file, as Trillion-Pairs takes them: the same head and numbers.

    Raises UserError where it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "wb") as stream:
            stream.write(HEAD.pack(rows, dim, 4 * dim, FLOAT32))
            for block in blocks:
                stream.write(np.ascontiguousarray(block, "<f4").tobytes())
    except OSError as error:
        raise UserError(f"cannot write {file} ({error.strerror or error}): give another folder") from None


def read(file: Path, *, dim: int | None = None) -> Vector:
    """One vector [d]. Raises UserError for a file that is missing, is none, is cut short, or is not of dim numbers."""
    try:
        data = file.read_bytes()
        length, columns, size, kind = HEAD.unpack_from(data)
    except (OSError, struct.error) as error:
        raise UserError(f"cannot read the vector {file} ({error}): write the features again") from None
    if (columns, size, kind) != (1, 4, FLOAT32) or len(data) != HEAD.size + 4 * length:
        raise UserError(f"{file} is no vector of the development kit, or cut short ({len(data)} bytes)")
    if dim is not None and length != dim:
        raise UserError(f"{file} holds a vector of {length} numbers, the others {dim}: take all from the same model")
    return np.frombuffer(data, "<f4", offset=HEAD.size).astype(np.float32)


def write_list(folder: str | Path, kind: str, photos: Sequence[str], people: Sequence[str] = ()) -> Path:
    """The list of a trial's photos, in the form of the kit's own: people go with probes.

    Raises UserError where it cannot be written.
    """
    name = f"{kind}_features_list.json" + (f"_{len(photos)}_1" if kind == DISTRACTORS else "")
    file = Path(folder, name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"path": list(photos)} | ({"id": list(people)} if people else {})), "utf-8")
    except OSError as error:
        raise UserError(f"cannot write {file} ({error.strerror or error}): give another folder") from None
    return file


def results(file: str | Path) -> dict[str, float]:
    """The figures in a file of results by name: rank-1 and 10, and the true accept rate at FAR 1e-6.

    Raises UserError for a file that is none.
    """
    try:
        found = json.loads(Path(file).read_text("utf-8"))
        ranks, rates = (np.asarray(row, np.float64) for row in found["cmc"])
        false, true = (np.asarray(row, np.float64) for row in found["roc"])
        figures = {f"rank-{k}": float(rates[ranks == k - 1][0]) for k in (1, 10) if (ranks == k - 1).any()}
        below = false <= 1e-6 * (1 + 1e-9)
        return figures | ({"TAR@FAR=1e-06": float(true[below].max())} if below.any() else {})
    except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise UserError(
            f"cannot read {file} as results of the development kit ({error}): expected cmc and roc"
        ) from None


def is_results(path: str | Path) -> bool:
    """Whether a test set's path is a file of such results."""
    return Path(path).suffix == ".json" and Path(path).is_file()
