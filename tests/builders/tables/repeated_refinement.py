"""A large refinement for tests of reports: a small one repeated many times, with new names of identities and photos."""

from dataclasses import asdict, fields
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refinement import Account, Refinement, publish
from pipeline.tables import storage
from pipeline.tables.digests import content_digest
from pipeline.tables.parquet import to_parquet
from pipeline.tables.table import Table, load

NAME_COLUMNS = {
    "face_id",
    "key",
    "identity",
    "claimed",
    "person",
    "medoid",
    "subject",
    "object",
    "finding_id",
    "copy_of",
}
NOT_REPEATED = ("calibration", "test_faces")


def repeat(refinement: Refinement, root: str, times: int) -> Refinement:
    """Publish, in a root, the refinement with each table's rows repeated `times` times."""
    account = asdict(refinement.account)
    removed = {reason: n * times for reason, n in account.pop("removed").items()}
    repeated = {
        f.name: _all_repeated(getattr(refinement, f.name), root, 1 if f.name in NOT_REPEATED else times)
        for f in fields(refinement)
    }
    total = Account(**{name: n * times for name, n in account.items()}, removed=removed)
    return publish(root, Refinement(**repeated | {"account": total}))


def _all_repeated(value: Any, root: str, times: int) -> Any:
    """A table, or each table of a tuple, repeated; any other value unchanged."""
    if isinstance(value, Table):
        return _repeated(value, root, times)
    if isinstance(value, tuple):
        return tuple(_all_repeated(v, root, times) for v in value)
    return value


def _repeated(table: Table, root: str, times: int) -> Table:
    shards = []
    for i, rows in enumerate(table.batches()):
        whole = pa.concat_tables([_renamed(rows, k) for k in range(times)])
        path = f"{table.name}/{table.address}/{i:020x}.parquet"
        data = to_parquet(whole)
        storage.put(root, path, data)
        shards.append({"path": path, "digest": content_digest(data), "rows": len(whole)})
    manifest = {**table.manifest, "shards": shards, "rows": sum(s["rows"] for s in shards)}
    storage.put_json(root, f"{table.name}/{table.address}.json", manifest)
    repeated = load(root, table.name, table.address)
    assert repeated is not None
    return repeated


def _renamed(rows: pa.Table, k: int) -> pa.Table:
    for i, name in enumerate(rows.column_names):
        if k and name in NAME_COLUMNS:
            rows = rows.set_column(i, name, pc.binary_join_element_wise(rows[name], f"{k}", "~"))
    return rows
