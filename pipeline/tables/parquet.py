"""Tables as Parquet bytes: JPEGs as they are, everything else compressed by zstd."""

import pyarrow as pa
import pyarrow.parquet as pq

ROWS, ROWS_WITH_JPEG = 65536, 1024  # in a row group; a trainer reads faces one row group at a time


def to_parquet(table: pa.Table) -> memoryview:
    """The bytes of a Parquet file with this table."""
    sink = pa.BufferOutputStream()
    leaves = {f.name: f"{f.name}.list.element" if pa.types.is_nested(f.type) else f.name for f in table.schema}
    pq.write_table(
        table,
        sink,
        row_group_size=ROWS_WITH_JPEG if "jpeg" in table.schema.names else ROWS,
        compression={leaf: "none" if name == "jpeg" else "zstd" for name, leaf in leaves.items()},
        use_dictionary=[f.name for f in table.schema if pa.types.is_string(f.type)],
    )
    return memoryview(sink.getvalue())
