"""`refinery benchmark sources`: every way goes through all records."""

from collections.abc import Callable
from typing import Any

import pytest

from flows.benchmark.speed.indexing import SHARDS, IndexingTable, measure_ways, sources
from flows.benchmark.speed.measured_process import ProcessMeasurement
from pipeline.errors import UserError


def measured_here(function: Callable[..., Any], *arguments: Any) -> ProcessMeasurement:
    """In this process, which saves nine starts."""
    return ProcessMeasurement(function(*arguments), 1.0, 0.1)


def test_every_way_goes_through_all_records() -> None:
    table = IndexingTable(measure_ways(300, measured_here), 300)
    ways = [(row["source"], row["way"], row["records"]) for row in table.rows()]
    assert ways == [
        (kind, way, 300)
        for kind in ("parquet", "webdataset", "webdataset .tar.gz")
        for way in ("bare reading", "photos listed", "whole index")
    ]
    assert f"300 drawn records in {SHARDS} files" in table.lines()[0]


def test_too_few_records_are_refused() -> None:
    with pytest.raises(UserError, match="--records 3: give 10 or more"):
        sources(records=3)
