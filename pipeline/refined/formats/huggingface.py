"""The refined faces as a data set of the Hugging Face hub: Parquet shards whose schema says which column is a picture.

`datasets` reads features (Image, Value) from the schema's metadata, so the pictures are decoded without further code.
The identity is text, and no ClassLabel: its names would stand in the schema of every shard and in the card's YAML, a
megabyte or more for 100,000 identities. `label` has the number, and identities.tsv the names.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.refined.formats.shard_plan import ShardSize, face_file, pieces, shard_rows
from pipeline.tables.digests import digest_of_file
from pipeline.tables.table import Table

FOLDER, SPLIT = "data", "train"
COLUMNS = ("face_id", "key", "identity", "label", "jpeg")  # of the refined table
# the columns by name: their types in Arrow and, for `datasets`, their features
TEXT, NUMBER = {"dtype": "string", "_type": "Value"}, {"dtype": "int64", "_type": "Value"}
FEATURES: dict[str, dict[str, str]] = {
    "image": {"_type": "Image"},
    "label": NUMBER,
    "identity": TEXT,
    "face_id": TEXT,
    "key": TEXT,
}
SCHEMA = pa.schema(
    [
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("label", pa.int64()),
        ("identity", pa.string()),
        ("face_id", pa.string()),
        ("key", pa.string()),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": FEATURES}}, allow_nan=False)},
)
ROW_GROUP_ROWS = 100  # a page of the hub's viewer, and what this program's own reader decodes for one photo
# chunks end where the content says so: after a further refinement the hub stores, and is sent, only what is new
PARQUET: dict[str, Any] = {"use_content_defined_chunking": True, "write_page_index": True}


def write_shards(table: Table, folder: Path, size: ShardSize, tick: Callable[[int], None]) -> list[dict[str, object]]:
    """Write data/train-00000-of-000NN.parquet...; returns the path, digests and sizes of each.

    table: the refined table. Pictures are those of the table, byte for byte, and are not compressed again.
    """
    rows_of_shards = shard_rows(table, size)
    (folder / FOLDER).mkdir()
    files = []
    for number, parts in groupby(pieces(table, COLUMNS, rows_of_shards, tick), key=itemgetter(0)):
        name = f"{FOLDER}/{SPLIT}-{number:05d}-of-{len(rows_of_shards):05d}.parquet"
        arrow_bytes = 0
        with pq.ParquetWriter(folder / name, SCHEMA, **_compression(), **PARQUET) as writer:
            for _, part in parts:
                rows = _rows(part)
                arrow_bytes += rows.nbytes
                writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
        files.append(_described(folder, name) | {"rows": rows_of_shards[number], "arrow_bytes": arrow_bytes})
    return files


def _rows(part: pa.Table) -> pa.Table:
    pictures = part["jpeg"].combine_chunks()
    heads = pc.binary_slice(pictures, 0, 4).to_pylist()  # enough to tell the kind of picture
    paths = pa.array([face_file(*row) for row in zip(part["face_id"].to_pylist(), heads, strict=True)], pa.string())
    image = pa.StructArray.from_arrays([pictures, paths], names=["bytes", "path"])
    return pa.table([image, *(part[name] for name in SCHEMA.names[1:])], schema=SCHEMA)


def _compression() -> dict[str, Any]:
    """Pictures are stored as they are; text repeats and is compressed."""
    leaves = ["image.path", *SCHEMA.names[1:]]
    return {
        "compression": {"image.bytes": "none", **dict.fromkeys(leaves, "zstd")},
        "use_dictionary": ["identity"],
    }


def _described(folder: Path, name: str) -> dict[str, object]:
    with open(folder / name, "rb") as stream:
        hasher = sha256()
        while block := stream.read(1 << 22):
            hasher.update(block)
    size = (folder / name).stat().st_size
    return {"path": name, "digest": digest_of_file(str(folder), name), "sha256": hasher.hexdigest(), "bytes": size}
