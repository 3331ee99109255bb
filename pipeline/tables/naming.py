"""How tables and shards are named: by a digest of what they are made from, so equal inputs find the same file.

A shard's name depends on the table's name, version, schema and parameters, and on the shard's own part; a table's
address on those of all its shards. What is made anew is exactly what would be different.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from pipeline.schema import digest
from pipeline.tables.table import Shard

BRIEF = 200  # characters of a part in an error message


@dataclass(frozen=True)
class TableNames:
    """The names under which one table is stored: its address and its shards' paths, relative to the root."""

    table: str
    recipe: str  # digest of name, version, schema and parameters; the folder of the shards
    address: str
    paths: tuple[str, ...]

    def path(self, part: Any) -> str:
        """The path of the shard that this recipe makes of a part."""
        return _path(self.table, self.recipe, _key(self.recipe, part))


def table_names(
    table: str, parts: Sequence[Any], *, version: int, schema: pa.Schema, params: Mapping[str, Any]
) -> TableNames:
    """The names of the table that a stage makes of some parts, with these parameters and this version."""
    recipe = digest(table, str(version), schema.to_string(), _canonical(params))
    keys = [_key(recipe, part) for part in parts]
    return TableNames(table, recipe, digest(recipe, *keys), tuple(_path(table, recipe, key) for key in keys))


def _key(recipe: str, part: Any) -> str:
    return digest(recipe, _canonical(part))


def _path(table: str, recipe: str, key: str) -> str:
    return f"{table}/{recipe}/{key}.parquet"


def _canonical(value: Any) -> str:
    return json.dumps(plain_value(value), sort_keys=True, ensure_ascii=True)


def plain_value(value: Any) -> Any:
    """The part of a value that counts for a name, as JSON values.

    Plain values stand for themselves, a shard for the digest of its bytes, a model for its `named_by`. Raises
    TypeError for any other object.
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
    """The shards anywhere in nested parts or parameters."""
    if isinstance(value, Shard):
        yield value
    elif isinstance(value, Mapping):
        yield from shards_in(value.values())
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for item in value:
            yield from shards_in(item)


def content_digest(data: bytes | memoryview) -> str:
    """The digest of a file's bytes, by which a shard is known to the tables that are made from it."""
    return blake2b(data, digest_size=16).hexdigest()


def brief(part: Any) -> str:
    """A part in a few words for an error message: the paths of its shards, or the value itself."""
    text = ", ".join(s.path for s in shards_in(part)) or repr(part)
    return text if len(text) < BRIEF else text[: BRIEF - 3] + "..."
