"""A refinement many times over in one root, every name and photo renamed: a large data set to make a page of."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refined.account import Account
from pipeline.refinement import Refinement, publish
from pipeline.tables import storage
from pipeline.tables.build import to_parquet
from pipeline.tables.table import Table, load

NAMED = {"face_id", "key", "identity", "claimed", "person", "medoid", "subject", "object", "finding_id", "copy_of"}
ONCE = ("calibration", "test_faces_0")


def repeat(done: Refinement, root: str, times: int) -> Refinement:
    """The refinement `times` over, under root."""
    tables = {role: _repeated(t, root, 1 if role in ONCE else times) for role, t in done.tables.items()}
    a = done.account
    account = {k: v * times for k, v in a.items() if k != "removed"}
    removed = {k: n * times for k, n in a["removed"].items()}
    return publish(
        root, tables, params=done.params, thresholds=done.thresholds, account=Account(**account, removed=removed)
    )


def _repeated(table: Table, root: str, times: int) -> Table:
    shards = []
    for i, rows in enumerate(table.batches()):
        whole = pa.concat_tables([_renamed(rows, k) for k in range(times)])
        path = f"{table.name}/{'0' * 20}/{i:020x}.parquet"
        storage.put(root, path, to_parquet(whole))
        shards.append({"path": path, "digest": str(i), "rows": len(whole)})
    manifest = {**table.manifest, "shards": shards, "rows": sum(s["rows"] for s in shards)}
    storage.put_json(root, f"{table.name}/{table.address}.json", manifest)
    found = load(root, table.name, table.address)
    assert found is not None
    return found


def _renamed(rows: pa.Table, k: int) -> pa.Table:
    for i, name in enumerate(rows.column_names):
        if k and name in NAMED:
            rows = rows.set_column(i, name, pc.binary_join_element_wise(rows[name], f"{k}", "~"))
    return rows
