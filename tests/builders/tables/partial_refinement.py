"""A refinement for tests that need only some of its tables; the other tables are empty."""

from typing import Any

import pyarrow as pa

from pipeline import schema
from pipeline.refinement import Refinement, publish
from pipeline.tables.build import build
from pipeline.tables.table import Table

TABLES = ("photos", "faces", "calibration", "copies", "clusters", "persons", "findings", "decisions", "labels")
SCHEMAS = {"photos": schema.PHOTOS, "faces": schema.FACES, "findings": schema.FINDINGS, "decisions": schema.DECISIONS}


def publish_partial(root: str, **fields: Any) -> Refinement:
    """Publish a refinement with these fields; all other tables are empty."""
    tables: dict[str, Table] = {name: _empty(root, SCHEMAS.get(name, schema.LABELS)) for name in TABLES}
    return publish(root, Refinement(**{"embeddings": (), **tables, **fields}))


def _empty(root: str, columns: pa.Schema) -> Table:
    return build(root, "nothing", _no_rows, [columns.names], schema=columns)


def _no_rows(columns: list[str]) -> pa.Table:
    return next(s for s in (*SCHEMAS.values(), schema.LABELS) if s.names == columns).empty_table()
