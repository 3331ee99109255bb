"""Tables as Parquet bytes. Columns of JPEGs are stored as they are, all others are compressed with zstd."""

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 65536
JPEG_ROW_GROUP_ROWS = 1024  # of tables with faces, which the trainer reads one row group at a time


def to_parquet(table: pa.Table) -> memoryview:
    """The bytes of a Parquet file that holds this table."""
    sink = pa.BufferOutputStream()
    leaves = {f.name: f"{f.name}.list.element" if pa.types.is_nested(f.type) else f.name for f in table.schema}
    pq.write_table(
        table,
        sink,
        row_group_size=JPEG_ROW_GROUP_ROWS if "jpeg" in table.schema.names else ROW_GROUP_ROWS,
        compression={leaf: "none" if name == "jpeg" else "zstd" for name, leaf in leaves.items()},
        use_dictionary=[f.name for f in table.schema if pa.types.is_string(f.type)],
    )
    return memoryview(sink.getvalue())


def from_parquet(data: bytes, schema: pa.Schema | None = None) -> pa.Table:
    """The table that the bytes of a Parquet file hold; columns of the schema that are not in it are null.

    Arrow's threads let go of the bytes a moment after the table is there. Were they Python's, a command that ends in
    this moment would be aborted ("terminate called without an active exception"): so Arrow reads a copy of its own.
    """
    copy = pa.BufferOutputStream()
    copy.write(data)
    return pq.read_table(pa.BufferReader(copy.getvalue()), schema=schema)
