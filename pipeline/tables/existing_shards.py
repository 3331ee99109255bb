"""The shards that exist already: of finished tables, or left by a run that was stopped.

The manifest of a table has the digests of its shards, and it is written last. Until then an empty file beside each
shard has the shard's digest in its name, so that a shard is recognised that changed after the run was stopped.
"""

import io
import json
import logging
import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.tables import storage
from pipeline.tables.digests import content_digest
from pipeline.tables.naming import TableNames
from pipeline.tables.table import Shard

log = logging.getLogger("refinery")
MARK = re.compile(r"(.+/)\.([^/]+)\.digest\.([0-9a-f]{32})\.tmp")  # ends like all files that no table needs


def existing_shards(root: str, table: str, paths: set[str]) -> dict[str, Shard]:
    """The shards of a table that exist among these paths, by path."""
    names = storage.list_files(root, table)
    present = paths.intersection(names)
    shards: dict[str, Shard] = {}
    if not present:
        return shards
    for manifest in (n for n in names if n.endswith(".json")):
        for shard in _listed_shards(storage.get(root, manifest) or b""):
            if shard.path in present:
                shards[shard.path] = shard
    marks = _marked_digests(names)
    for path in present - shards.keys():
        left = _left_shard(root, path, marks.get(path))
        if left is None:
            log.warning("%s: %s is damaged and is made again", table, path)
        else:
            shards[path] = left
    return shards


def mark_digest(root: str, path: str, digest: str) -> None:
    """Write the empty file that has a new shard's digest in its name."""
    folder, _, name = path.rpartition("/")
    storage.put(root, f"{folder}/.{name}.digest.{digest}.tmp", b"", durable=False)


def remove_marks(root: str, names: TableNames) -> None:
    """Remove the marks of a table's shards, whose digests its manifest will have."""
    for file in storage.list_files(root, f"{names.table}/{names.build_digest}"):
        mark = MARK.fullmatch(file)
        if mark and f"{mark[1]}{mark[2]}" in names.paths:
            storage.remove(root, file)


def _marked_digests(names: Iterable[str]) -> dict[str, set[str]]:
    """The digests that the marks among these files give to shards, by the shard's path."""
    digests: dict[str, set[str]] = {}
    for mark in filter(None, map(MARK.fullmatch, names)):
        digests.setdefault(f"{mark[1]}{mark[2]}", set()).add(mark[3])
    return digests


def _listed_shards(manifest: bytes) -> list[Shard]:
    """The shards that the bytes of a manifest list; none for a damaged one, which is made again."""
    try:
        return [Shard(s["path"], s["digest"], s["rows"]) for s in json.loads(manifest)["shards"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _left_shard(root: str, path: str, marked: set[str] | None) -> Shard | None:
    """A shard that a stopped run left; None where its bytes are not those that the run wrote.

    marked: the digests that marks give to it; None: the run was stopped before it could write one.
    """
    data = storage.get(root, path) or b""
    digest = content_digest(data)
    if marked is not None and digest not in marked:
        return None
    try:
        return Shard(path, digest, pq.ParquetFile(io.BytesIO(data)).metadata.num_rows)
    except pa.ArrowInvalid:
        return None
