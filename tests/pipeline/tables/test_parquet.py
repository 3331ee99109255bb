"""Parquet bytes are read whole, by a schema, and by no thread that holds Python's memory afterwards."""

import sys

import pyarrow as pa

from pipeline.tables.parquet import from_parquet, to_parquet


def test_what_was_written_is_read_and_columns_of_the_schema_that_are_missing_are_null() -> None:
    table = pa.table({"key": ["a", "b"]})
    assert from_parquet(bytes(to_parquet(table))).equals(table)
    wider = pa.schema([("key", pa.string()), ("group", pa.string())])
    assert from_parquet(bytes(to_parquet(table)), wider)["group"].to_pylist() == [None, None]


def test_no_thread_holds_the_bytes_when_the_table_is_there() -> None:
    data = bytes(to_parquet(pa.table({name: ["x"] * 10 for name in "abcdefgh"})))
    before = sys.getrefcount(data)
    held = 0
    for _ in range(300):
        from_parquet(data)
        held += sys.getrefcount(data) > before
    assert held == 0
