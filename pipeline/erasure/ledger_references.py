"""Answers and questions without the faces of erased photos: verdicts, annotators and times stay, so their counts do.

The ledger and the question log are files that are named by their digest. A file that names such a face gets a successor
without it; the old file is removed once the labels were made with the new one.
"""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refinement import LEDGER
from pipeline.review.answers.question_log import FOLDER as ASKED
from pipeline.tables import storage
from pipeline.tables.digests import content_digest
from pipeline.tables.parquet import from_parquet, to_parquet

ERASED = "erased"  # stands for the subject or the object of a finding about an erased photo
PROPOSED_FILE = f"{ASKED}/proposed.json"
SIDES = ("subject", "object")  # columns that name a face, a person or an identity
FACES = ("face", "other")  # columns that name a face, or nothing


def files_with_faces(root: str, faces: Collection[str]) -> list[str]:
    """The files of the ledger and of the question log in which a row refers to one of these face_ids."""
    return [name for name in _files(root) if _rows_about(_read(root, name), faces)]


def rows_about(root: str, files: Collection[str], faces: Collection[str]) -> int:
    """How many rows of these files refer to one of these face_ids."""
    return sum(_rows_about(_read(root, name), faces) for name in files)


def write_without_faces(root: str, files: Collection[str], faces: Collection[str]) -> None:
    """Write the successor of each of these files that is still there."""
    for name in sorted(files):
        if storage.get(root, name) is None:
            continue
        table = _read(root, name)
        for column in (*SIDES, *FACES):
            table = _without(table, column, faces)
        data = to_parquet(table)
        successor = f"{name.rpartition('/')[0]}/{content_digest(data)}.parquet"
        if storage.get(root, successor) is None:
            storage.put(root, successor, data)


def _files(root: str) -> list[str]:
    folders = (LEDGER, ASKED)
    return [n for f in folders for n in storage.list_files(root, f) if n.endswith(".parquet") and "/." not in n]


def _read(root: str, name: str) -> pa.Table:
    return from_parquet(storage.get(root, name) or b"")


def _rows_about(table: pa.Table, faces: Collection[str]) -> int:
    wanted = pa.array(sorted(faces), pa.string())
    masks = [pc.is_in(table[column], value_set=wanted) for column in (*SIDES, *FACES)]
    any_side = masks[0]
    for mask in masks[1:]:
        any_side = pc.or_(any_side, mask)
    return int(pc.sum(any_side).as_py() or 0)


def _without(table: pa.Table, column: str, faces: Collection[str]) -> pa.Table:
    names_one = pc.is_in(table[column], value_set=pa.array(sorted(faces), pa.string()))
    instead = pa.scalar(ERASED if column in SIDES else None, pa.string())
    at = table.schema.get_field_index(column)
    return table.set_column(at, table.schema.field(at), pc.if_else(names_one, instead, table[column]))
