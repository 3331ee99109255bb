"""Rows of patches and patch files, written by hand for tests."""

from pathlib import Path

import pyarrow as pa

from pipeline.refined.patches.patch_file import PATCH, VECTOR, Patch, PatchHeader, read_patch, write_patch
from pipeline.refined.patches.picture_hash import NAME


def photo(
    key: str,
    before: str | None,
    after: str | None = "",
    reason: str = "",
    *,
    sha: int | None = None,
    hash: int | None = None,
    x: bytes | None = None,
) -> dict[str, object]:
    """A row of a patch; after "": kept under its claimed identity; sha, hash: numbers; x: a vector's bytes."""
    row = {"source": "s", "key": key, "before": before, "after": before if after == "" else after, "reason": reason}
    digest = None if sha is None else sha.to_bytes(8, "big") * 4
    return row | {"sha256": digest, "hash": hash} | ({} if x is None else {VECTOR: x})


def patch_table(*rows: dict[str, object]) -> pa.Table:
    """The rows as a table."""
    first = rows[0].get(VECTOR)
    schema = PATCH.append(pa.field(VECTOR, pa.binary(len(first)))) if isinstance(first, bytes) else PATCH
    return pa.Table.from_pylist(list(rows), schema=schema)


def patch_file(file: Path, *rows: dict[str, object]) -> Patch:
    """A patch file with these rows."""
    table = patch_table(*rows)
    write_patch(file, table.schema, [table], lambda photos: PatchHeader(photos=photos, hash=NAME))
    return read_patch(file)
