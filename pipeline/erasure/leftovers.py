"""The files of a root that may still show an erased person after the tables were made again."""

import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.refined.export import FILE_DIGESTS, MANIFEST
from pipeline.refined.patches.patch_file import is_patch
from pipeline.refinement import FILE, latest
from pipeline.tables import storage
from pipeline.tables.table import Table
from pipeline.unreferenced import REMOVABLE_FILES, tables_of_trainings
from pipeline.verification import is_export

PAGES = (".html", ".png", ".jpg", ".jpeg", ".svg", ".pdf", ".webp", ".tif", ".tiff")
ID_COLUMNS = ("face_id", "photo", "subject", "object", "medoid", "copy_of")  # that may name a face


def leftover_tables(root: str, made: Iterable[Table], faces: Collection[str]) -> list[str]:
    """Manifests and shards that are neither in force nor were used to make what is, sorted.

    made: the tables that the last run built or found. Of those that trainings and experiments were made from, only the
    ones stay that name none of these faces: a training keeps its model and its figures.
    """
    kept = {FILE}
    for table in [*latest(root).tables.values(), *made, *_harmless(root, faces)]:
        kept.add(f"{table.name}/{table.address}.json")
        kept.update(shard.path for shard in table.shards)
    return [name for name in table_files(root) if name not in kept]


def table_files(root: str) -> list[str]:
    """All manifests and shards of tables in a root, sorted."""
    return [name for name in storage.list_files(root, "") if REMOVABLE_FILES.fullmatch(name)]


def _harmless(root: str, faces: Collection[str]) -> Iterator[Table]:
    """The tables of finished trainings and experiments that name none of these faces."""
    wanted = pa.array(sorted(faces), pa.string())
    for table in tables_of_trainings(root, storage.list_files(root, "")):
        if not any(_names_one(root, shard.path, wanted) for shard in table.shards):
            yield table


def _names_one(root: str, path: str, wanted: pa.Array) -> bool:
    data = storage.get(root, path)
    if data is None:
        return False
    file = pq.ParquetFile(pa.BufferReader(data))
    columns = [name for name in ID_COLUMNS if name in file.schema_arrow.names]
    rows: Any = file.read(columns, use_threads=False)
    return any(pc.any(pc.is_in(rows[name], value_set=wanted)).as_py() for name in columns)


def exports_below(root: str) -> list[str]:
    """The folders of exports below a root, relative to it: they hold the faces as files, and can be written again."""
    if "://" in root:
        return []
    base = Path(root)
    folders = {path.parent for name in (MANIFEST, FILE_DIGESTS) for path in base.rglob(name)}
    found = sorted(f.relative_to(base).as_posix() for f in folders if f != base and is_export(str(f)))
    return [f for f in found if not any(f.startswith(f"{other}/") for other in found)]


def remove_exports(root: str, folders: Iterable[str]) -> None:
    """Remove these folders of exports. Raises UserError where one cannot be removed: a receipt would say it is gone."""
    for folder in folders:
        try:
            if Path(root, folder).exists():
                shutil.rmtree(Path(root, folder))
        except OSError as error:
            raise UserError(
                f"cannot remove the export {root}/{folder} ({error.strerror}), which shows the person: remove it, then "
                f"run `refinery erase {root} --yes`"
            ) from None


def pages_below(root: str, marks: Collection[bytes]) -> list[str]:
    """Pages, sheets and patches that a command wrote below a root, relative to it; pages hold one of these marks."""
    if "://" in root:
        return []
    base = Path(root)
    pages = []
    for path in base.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        is_page = path.suffix.lower() in PAGES and any(mark in path.read_bytes() for mark in marks)
        if is_page or is_patch(path):
            pages.append(path.relative_to(base).as_posix())
    return sorted(pages)
