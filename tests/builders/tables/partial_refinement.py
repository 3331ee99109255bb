"""A refinement of which a test needs only some tables: the others are there and empty."""

from typing import Any

import pyarrow as pa

from pipeline import schema
from pipeline.refinement import Refinement, publish
from pipeline.tables.build import build
from pipeline.tables.table import Table

NEEDED = ("photos", "faces", "calibration", "copies", "clusters", "persons", "findings", "decisions", "labels")
SCHEMAS = {"photos": schema.PHOTOS, "faces": schema.FACES, "findings": schema.FINDINGS, "decisions": schema.DECISIONS}


def publish_partial(root: str, **given: Any) -> Refinement:
    """Publish the refinement of the given fields; tables that are not given are empty."""
    tables: dict[str, Table] = {name: _empty(root, SCHEMAS.get(name, schema.LABELS)) for name in NEEDED}
    return publish(root, Refinement(**{"embeddings": (), **tables, **given}))


def _empty(root: str, columns: pa.Schema) -> Table:
    return build(root, "nothing", _no_rows, [columns.names], schema=columns)


def _no_rows(_part: list[str]) -> pa.Table:
    columns = next(s for s in (*SCHEMAS.values(), schema.LABELS) if s.names == _part)
    return columns.empty_table()
