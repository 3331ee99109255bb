"""A set of pairs as the trainer reads it: aligned faces and the pairs of them, in a folder of a root.

The faces go through the pipeline like any others. A photo without a face keeps its row, and its pairs count as
impostor pairs. The folder is written once: its name is a digest of faces and pairs, and it appears whole or not at all.
"""

import errno
import logging
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from flows.refine.tables import build_faces, build_photos
from flows.refine.test_sets import check_has_faces, test_set_source
from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.faces.picture import Image
from pipeline.faces.protocols import DetectedFaces
from pipeline.schema import face_id
from pipeline.sources.test_sets import pair_lists, photo_sets
from pipeline.sources.test_sets.all_pairs import all_pairs
from pipeline.tables.build import Workers
from pipeline.tables.table import Table

log = logging.getLogger("refinery")


@dataclass(frozen=True)
class PreparedPairs:
    """A set of pairs: its name, its folder with faces.parquet and pairs.parquet, and the table of the same faces."""

    name: str
    folder: Path
    faces: Table


@dataclass(frozen=True)
class NoDetector:
    """A detector for photos that are aligned crops already: it is never called."""

    named_by: str = "none"

    def __call__(self, _image: Image) -> DetectedFaces:
        """No faces."""
        return DetectedFaces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


def prepare_pairs(
    root: str, test_set: str, *, detector: str = "", aligned: bool = False, workers: Workers = None
) -> PreparedPairs:
    """The aligned faces and the pairs of a test set, in a folder of the root that is written once and found again.

    test_set: a .bin, a list of pairs with its folders, or folders of people (then every pair of their photos).
    detector: a model's path; not needed for a .bin, nor for photos that are aligned crops. Raises UserError for files
    that are not a test set, and where all pairs are genuine or all are impostor pairs.
    """
    if "://" in root:
        raise UserError(f"a test set is prepared in a folder, and {root} is none: give a folder as root")
    path = Path(test_set).absolute()
    name = _name(path)
    listed = read_listed_pairs(test_set, detector=detector, aligned=aligned)
    aligned = aligned or not detector or is_bin(path)
    photos, source_paths = build_photos(root, [test_set_source(path)], workers=workers)
    face_detector = NoDetector() if aligned else OnnxDetector(find_model(detector, "detector"))
    faces = build_faces(root, photos, source_paths, face_detector, aligned=aligned, workers=workers)
    check_has_faces(faces, test_set)
    if listed is None:
        log.info("%s lists no pairs: every pair of its photos is measured", path)
    pairs = _every_pair(path, faces) if listed is None else listed
    folder = Path(root).absolute() / "test_sets" / f"{name}-{_address(faces, pairs)}"
    if not folder.exists():
        _write(folder, faces, pairs)
    log.info("%s: %d pairs of %d photos, %d without a face", name, len(pairs), len(faces), without_face(faces))
    return PreparedPairs(name, folder, faces)


def one_test_set(paths: Sequence[str]) -> str:
    """The path of the one --test-set of a command that measures on one. Raises UserError for none and for several."""
    if len(paths) != 1:
        raise UserError(f"{len(paths)} times --test-set: this command measures on one test set, so give it once")
    return paths[0]


def without_face(faces: Table) -> int:
    """How many rows of a faces table have no face."""
    return sum(rows["jpeg"].null_count for rows in faces.batches(["jpeg"]))


def read_listed_pairs(test_set: str, *, detector: str = "", aligned: bool = False) -> pa.Table | None:
    """The pairs that a test set lists, or None for folders of people, which list none. No photo is read.

    Raises UserError as prepare_pairs does, except for errors that only show when photos are read.
    """
    path = Path(test_set).absolute()
    photo_sets.parts(path)
    check_aligned(test_set, detector=detector, aligned=aligned or is_bin(path))
    if not is_bin(path) and pair_lists.find_pair_list(path) is None:
        return None
    pairs = photo_sets.pairs(path)
    genuine = [p.same for p in pairs]
    if all(genuine) or not any(genuine):
        kind = "genuine" if genuine[0] else "impostor"
        raise UserError(f"all {len(genuine)} pairs of {path} are {kind} pairs: verification needs both kinds")
    a, b = ([face_id(path.name, key) for key in keys] for keys in ([p.a for p in pairs], [p.b for p in pairs]))
    # in a .bin photos have numbers and people no names
    people = [p.person or p.a.rpartition("/")[0] or None for p in pairs]
    return _pairs_table([a, b, genuine, [p.fold for p in pairs], people, [None] * len(pairs)])


def check_aligned(test_set: str, *, detector: str, aligned: bool) -> None:
    """Raise UserError for photos or frames that are not said to be aligned, without a detector to align them."""
    if not (detector or aligned):
        raise UserError(f"{test_set} holds photos that are not aligned: give --detector, or --aligned if they are")


def _pairs_table(columns: Sequence[Sequence[Any] | NDArray[Any]]) -> pa.Table:
    """The pairs as the trainer reads them: two face ids, whether genuine, the fold, and one or two people."""
    arrays = [pa.array(column, f.type) for column, f in zip(columns, schema.PAIRS, strict=True)]
    return pa.table(arrays, schema=schema.PAIRS)


def _name(path: Path) -> str:
    """The name of a test set in results: for LFW's list and CFP's splits that of the data set's folder."""
    if path.name in ("pairs.txt", "pairs.csv"):
        return path.parent.name
    if path.parent.name == "Split":
        return f"{path.parents[2].name} {path.name}"
    return path.name if path.is_dir() else path.stem


def is_bin(path: Path) -> bool:
    """Whether the photos lie in a .bin, aligned by definition."""
    return path.suffix == ".bin" or (path.is_dir() and any(path.glob("*.bin")))


def _every_pair(path: Path, faces: Table) -> pa.Table:
    """Every pair of photos of named people. Each pair has both people, for bootstrap samples draw people."""
    rows = faces.read(["face_id", "identity"])
    rows = rows.filter(rows["identity"].is_valid())
    names, ids = (np.asarray(rows[c].to_numpy(), object) for c in ("identity", "face_id"))
    order = np.argsort(names.astype(str), kind="stable")
    names, ids = names[order], ids[order]
    try:
        pairs = all_pairs(np.unique(names.astype(str), return_inverse=True)[1])
    except UserError as error:
        raise UserError(f"{path} lists no pairs (no pairs.txt), and its photos make none: {error}") from None
    return _pairs_table([ids[pairs.a], ids[pairs.b], pairs.same, pairs.fold, names[pairs.a], names[pairs.b]])


def _address(faces: Table, pairs: pa.Table) -> str:
    """The digest of the faces and the pairs, by which the folder is named."""
    hasher = blake2b(faces.address.encode(), digest_size=schema.ID_BYTES)
    for column in pairs.columns:
        hasher.update("\n".join(map(str, column.to_pylist())).encode())
    return hasher.hexdigest()


def _write(folder: Path, faces: Table, pairs: pa.Table) -> None:
    """Write faces and pairs to the folder, which appears whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.mkdir(parents=True)
        names = schema.TEST_FACES.names
        with pq.ParquetWriter(temporary / "faces.parquet", schema.TEST_FACES, compression="none") as writer:
            for rows in faces.batches(names):
                writer.write_table(rows.select(names).cast(schema.TEST_FACES))
        pq.write_table(pairs, temporary / "pairs.parquet", compression="zstd")
        temporary.rename(folder)
    except OSError as error:
        if not (folder / "pairs.parquet").exists():  # else another run was quicker
            reason = "no room left on the disk" if error.errno == errno.ENOSPC else f"cannot write ({error})"
            raise UserError(f"{reason} at {folder}: free some, or give another folder, and run again") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
