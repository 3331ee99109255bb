"""Embeddings in the files that MegaFace's development kit reads, and the results that it writes.

An embedding's file is named after its photo's path and the model: Aaron_Eckhart/Aaron_Eckhart_1.png_r50.bin. It holds
four 32-bit integers, OpenCV's matrix header (length, 1, 4 bytes, 5 for float32), and the embedding. The kit reads the
photos to compare from a list, {"path": [...]}, and writes results as {"cmc": [ranks from 0, identification rates],
"roc": [false accept rates, true accept rates]}.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

HEADER = struct.Struct("<4i")
FLOAT32 = 5
PROBES, DISTRACTORS = "facescrub", "megaface"
Embedding = NDArray[np.float32]


def embedding_path(folder: str | Path, kind: str, photo: str, model: str) -> Path:
    """The file of a photo's embedding by a model; kind is PROBES or DISTRACTORS."""
    return Path(folder, kind, f"{photo}_{model}.bin")


def write_embedding(file: Path, x: NDArray[Any]) -> None:
    """Write one embedding [d]. Raises UserError where it cannot be written."""
    write_embeddings(file, [x], rows=len(x), dim=1)


def write_embeddings(file: Path, blocks: Iterable[NDArray[Any]], *, rows: int, dim: int) -> None:
    """Write embeddings [rows, dim], given block by block, to one file with the same header, as for Trillion-Pairs.

    Raises UserError where it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "wb") as stream:
            stream.write(HEADER.pack(rows, dim, 4 * dim, FLOAT32))
            for block in blocks:
                stream.write(np.ascontiguousarray(block, "<f4").tobytes())
    except OSError as error:
        raise UserError(f"cannot write {file} ({error.strerror or error}): give another folder") from None


def read_embedding(file: Path, *, dim: int | None = None) -> Embedding:
    """One embedding [d]. Raises UserError for a file that is missing, cut short, of another form or of another dim."""
    try:
        data = file.read_bytes()
        length, columns, size, kind = HEADER.unpack_from(data)
    except (OSError, struct.error) as error:
        raise UserError(f"cannot read the embedding {file} ({error}): write the embeddings again") from None
    if (columns, size, kind) != (1, 4, FLOAT32) or len(data) != HEADER.size + 4 * length:
        raise UserError(f"{file} is not an embedding of the development kit, or is cut short ({len(data)} bytes)")
    if dim is not None and length != dim:
        raise UserError(
            f"{file} holds an embedding of {length} numbers, the others {dim}: take all from the same model"
        )
    return np.frombuffer(data, "<f4", offset=HEADER.size).astype(np.float32)


def write_list(folder: str | Path, kind: str, photos: Sequence[str], people: Sequence[str] = ()) -> Path:
    """Write the list of photos that the kit reads, and return its path; people: the person of each probe.

    Raises UserError where it cannot be written.
    """
    name = f"{kind}_features_list.json" + (f"_{len(photos)}_1" if kind == DISTRACTORS else "")
    file = Path(folder, name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        listed = {"path": list(photos)} | ({"id": list(people)} if people else {})
        file.write_text(json.dumps(listed, allow_nan=False), "utf-8")
    except OSError as error:
        raise UserError(f"cannot write {file} ({error.strerror or error}): give another folder") from None
    return file


def read_results(file: str | Path) -> dict[str, float]:
    """The measures in a results file by name: rank-1 and rank-10 rates, and the true accept rate at FAR 1e-6.

    Raises UserError for a file that holds no results.
    """
    try:
        content = json.loads(Path(file).read_text("utf-8"))
        ranks, rates = (np.asarray(row, np.float64) for row in content["cmc"])
        false, true = (np.asarray(row, np.float64) for row in content["roc"])
        results = {f"rank-{k}": float(rates[ranks == k - 1][0]) for k in (1, 10) if (ranks == k - 1).any()}
        below = false <= 1e-6 * (1 + 1e-9)
        return results | ({"TAR@FAR=1e-06": float(true[below].max())} if below.any() else {})
    except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise UserError(
            f"cannot read {file} as results of the development kit ({error}): expected cmc and roc"
        ) from None


def is_results(path: str | Path) -> bool:
    """Whether a path may be a results file: an existing .json."""
    return Path(path).suffix == ".json" and Path(path).is_file()
