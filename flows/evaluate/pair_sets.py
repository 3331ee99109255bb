"""A test set as the trainer reads it: aligned faces and the pairs that are asked, in a folder of a root.

The faces go through the pipeline like any others; a photo without a face keeps its row, and its pairs are answered
"different" unseen. Made once: the folder is named by its faces and its pairs, and appears whole or not at all.
"""

import errno
import logging
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flows.refine.tables import build_faces, build_photos
from flows.refine.test_sets import test_set_source
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
class Prepared:
    """A test set by name: its folder of faces.parquet and pairs.parquet, and the table with the same faces."""

    name: str
    folder: Path
    faces: Table


@dataclass(frozen=True)
class Unseeing:
    """What stands for a detector where the photos are aligned: nobody asks where their faces are."""

    named_by: str = "none"

    def __call__(self, _image: Image) -> DetectedFaces:
        """No faces."""
        return DetectedFaces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


def prepare(
    root: str, test_set: str, *, detector: str = "", aligned: bool = False, workers: Workers = None
) -> Prepared:
    """A .bin, a list of pairs with its folders, or folders of people without one (then every pair of their photos).

    detector: a model's path; not needed for a .bin, nor when the photos are aligned already. Raises UserError for a
    test set that is none, and for pairs of one kind only.
    """
    if "://" in root:
        raise UserError(f"a test set is prepared on a disk, and {root} is none: give a folder as root")
    given = Path(test_set).absolute()
    name = _name(given)
    listed = check(test_set, detector=detector, aligned=aligned)
    aligned = aligned or not detector or _is_bin(given)
    taken, where = build_photos(root, [test_set_source(given)], workers=workers)
    finder = Unseeing() if aligned else OnnxDetector(find_model(detector, "detector"))
    faces = build_faces(root, taken, where, finder, aligned=aligned, workers=workers)
    pairs = _every(given, faces) if listed is None else listed
    folder = Path(root).absolute() / "test_sets" / f"{name}-{_address(faces, pairs)}"
    if not folder.exists():
        _write(folder, faces, pairs)
    lost = sum(rows["jpeg"].null_count for rows in faces.batches(["jpeg"]))
    log.info("%s: %d pairs of %d photos, %d without a face", name, len(pairs), len(faces), lost)
    return Prepared(name, folder, faces)


def one_test_set(paths: Sequence[str]) -> str:
    """The path of the one --test-set of a command that measures on one. Raises UserError for none and for several."""
    if len(paths) != 1:
        raise UserError(f"{len(paths)} times --test-set: give it once, for this measures on one test set")
    return paths[0]


def check(test_set: str, *, detector: str = "", aligned: bool = False) -> pa.Table | None:
    """The pairs that a test set lists, or None for folders of people, which list none: before any work is done.

    Raises UserError as prepare does, but for what only the photos tell.
    """
    given = Path(test_set).absolute()
    photo_sets.parts(given)
    if not (aligned or detector or _is_bin(given)):
        raise UserError(f"{test_set} holds photos that are not aligned: give --detector, or --aligned if they are")
    if not _is_bin(given) and pair_lists.find(given) is None:
        return None
    asked = photo_sets.pairs(given)
    same = [p.same for p in asked]
    if all(same) or not any(same):
        kind = "one person" if same[0] else "two people"
        raise UserError(f"all {len(same)} pairs of {given} are of {kind}: it takes pairs of both kinds to tell apart")
    keys = ([p.a for p in asked], [p.b for p in asked])
    a, b = ([face_id(given.name, key) for key in side] for side in keys)
    # in a .bin photos have numbers, people no names
    people = [p.person or p.a.rpartition("/")[0] or None for p in asked]
    columns = [a, b, same, [p.fold for p in asked], people, [None] * len(asked)]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema.PAIRS, strict=True)], schema=schema.PAIRS)


def _name(given: Path) -> str:
    """What a test set is shown as: LFW's list and CFP's splits are called by the folder they belong to."""
    if given.name == "pairs.txt":
        return given.parent.name
    if given.parent.name == "Split":
        return f"{given.parents[2].name} {given.name}"
    return given.name if given.is_dir() else given.stem


def _is_bin(given: Path) -> bool:
    """Whether the photos lie in a .bin, aligned by definition."""
    return given.suffix == ".bin" or (given.is_dir() and any(given.glob("*.bin")))


def _every(given: Path, faces: Table) -> pa.Table:
    """Every pair of photos of named people. Both people are drawn as one: each has a part in many pairs."""
    rows = faces.read(["face_id", "identity"])
    rows = rows.filter(rows["identity"].is_valid())
    names, ids = (np.asarray(rows[c].to_numpy(), object) for c in ("identity", "face_id"))
    order = np.argsort(names.astype(str), kind="stable")
    names, ids = names[order], ids[order]
    try:
        asked = all_pairs(np.unique(names.astype(str), return_inverse=True)[1])
    except UserError as error:
        raise UserError(f"{given} lists no pairs (no pairs.txt), and of its photos none can be made: {error}") from None
    columns = [ids[asked.a], ids[asked.b], asked.same, asked.fold, names[asked.a], names[asked.b]]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema.PAIRS, strict=True)], schema=schema.PAIRS)


def _address(faces: Table, pairs: pa.Table) -> str:
    hasher = blake2b(faces.address.encode(), digest_size=schema.ID_BYTES)
    for column in pairs.columns:
        hasher.update("\n".join(map(str, column.to_pylist())).encode())
    return hasher.hexdigest()


def _write(folder: Path, faces: Table, pairs: pa.Table) -> None:
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
        if not (folder / "pairs.parquet").exists():  # another run was quicker
            full = "no room left on the disk" if error.errno == errno.ENOSPC else f"cannot write ({error})"
            raise UserError(f"{full} at {folder}: free some, or give another folder, and run again") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
