"""The names of tables and shards: digests of what they are made from, so that equal inputs give the same file name.

A shard's name depends on the table's name, version, schema and parameters, and on the part that the shard is made from.
A table's address depends on the names of all its shards. So a changed input changes the names of exactly those shards
that must be made again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.schema import digest
from pipeline.tables.table import Shard

MAX_SUMMARY = 200  # characters of a part in an error message


@dataclass(frozen=True)
class TableNames:
    """The names under which one table is stored: its address and its shards' paths, relative to the root."""

    table: str
    build_digest: str  # digest of name, version, schema and parameters; the folder of the shards
    address: str
    paths: tuple[str, ...]

    def path(self, part: Any) -> str:
        """The path of the shard that is made from a part by this build."""
        return _path(self.table, self.build_digest, _key(self.build_digest, part))


def table_names(
    table: str, parts: Sequence[Any], *, version: int, schema: pa.Schema, params: Mapping[str, Any]
) -> TableNames:
    """The names of the table that a stage of this version makes from these parts with these parameters."""
    build_digest = digest(table, str(version), schema.to_string(), _canonical(params))
    keys = [_key(build_digest, part) for part in parts]
    return TableNames(
        table, build_digest, digest(build_digest, *keys), tuple(_path(table, build_digest, key) for key in keys)
    )


def _key(build_digest: str, part: Any) -> str:
    return digest(build_digest, _canonical(part))


def _path(table: str, build_digest: str, key: str) -> str:
    return f"{table}/{build_digest}/{key}.parquet"


def _canonical(value: Any) -> str:
    return json.dumps(plain_value(value), sort_keys=True, ensure_ascii=True, allow_nan=False)


def plain_value(value: Any) -> Any:
    """A value as JSON values, to be hashed into a name.

    Plain values stay as they are, a shard becomes the digest of its bytes, a model its `named_by`. Raises TypeError
    for any other object.
    """
    if isinstance(value, Shard):
        return value.digest
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Mapping):
        return {str(k): plain_value(v) for k, v in value.items()}
    if isinstance(value, Iterable):
        return [plain_value(v) for v in value]
    if hasattr(value, "named_by"):
        return plain_value(value.named_by)
    raise TypeError(f"{type(value).__name__} cannot name a table: give plain values, or an object with named_by")


def shards_in(value: Any) -> Iterator[Shard]:
    """All shards in a value of nested sequences and mappings."""
    if isinstance(value, Shard):
        yield value
    elif isinstance(value, Mapping):
        yield from shards_in(value.values())
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for item in value:
            yield from shards_in(item)


def part_summary(part: Any) -> str:
    """A part in at most MAX_SUMMARY characters for an error message: the paths of its shards, or the value itself."""
    text = ", ".join(s.path for s in shards_in(part)) or repr(part)
    return text if len(text) < MAX_SUMMARY else text[: MAX_SUMMARY - 3] + "..."
