"""The files of a root to which no finished work refers."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from pipeline.refinement import FILE, RESULT_FOLDERS, latest
from pipeline.tables import storage
from pipeline.tables.table import Table, load

# manifests, shards, and the half-written temporary files that a killed run left beside any file (see storage.put)
REMOVABLE_FILES = re.compile(
    r"[a-z_]+/[0-9a-f]{20}(\.json|/[0-9a-f]{20}\.parquet(\.damaged)?)|([^/]+/)*\.[^/]+\.[0-9a-f]{32}\.tmp"
)
# results of trainings and experiments: each names the tables that it was made from
RESULT_FILES = re.compile(rf"({'|'.join(RESULT_FOLDERS)})/[0-9a-f]{{20}}/(result|comparison)\.json")


def unreferenced_files(root: str, *, min_age: timedelta) -> dict[str, int]:
    """The sizes in bytes, by file name, of the files of tables that can be removed.

    A file stays if it belongs to a table that the refinement, a finished training or a finished experiment names; every
    other table can be built again from those. Models and results are never listed, nor any file whose name does not
    look like one of this program's. min_age: younger files may belong to a run in progress, and are not listed.
    Raises UserError when the root holds no finished refinement.
    """
    names = list(storage.list_files(root, ""))
    referenced = {FILE}
    for table in [*latest(root).tables.values(), *tables_of_trainings(root, names)]:
        referenced.add(f"{table.name}/{table.address}.json")
        referenced.update(shard.path for shard in table.shards)
    files, base = storage.open_root(root)
    latest_change = datetime.now(UTC) - min_age
    sizes = {}
    for name in names:
        if name in referenced or not REMOVABLE_FILES.fullmatch(name):
            continue
        info = files.get_file_info(f"{base}/{name}")
        if info.mtime is None or info.mtime <= latest_change:
            sizes[name] = int(info.size or 0)
    return sizes


def tables_of_trainings(root: str, names: Iterable[str]) -> Iterator[Table]:
    """The tables that finished trainings and experiments name."""
    for name in filter(RESULT_FILES.fullmatch, names):
        for address in (storage.get_json(root, name) or {}).get("tables", []):
            if (table := load(root, *address.split("/"))) is not None:  # a table without rows is false
                yield table
