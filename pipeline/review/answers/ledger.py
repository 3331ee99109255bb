"""The ledger: every answer that was ever given, append-only; beside the photos the only thing to back up.

ROOT/ledger/<digest>.parquet, one file for each time that answers came in, named by its content: a file is written
whole or not at all, never changed, and writing the same answers again writes nothing.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.schema import LEDGER
from pipeline.tables import storage
from pipeline.tables.parquet import to_parquet

FOLDER = "ledger"
TERMS = "ledger/terms.json"
USUAL = {"votes": 2}


def append(root: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Add answers (columns as LEDGER); how many of them were new. Those the ledger holds already are left out."""
    given = pa.Table.from_pylist([{c: row.get(c) for c in LEDGER.names} for row in rows], schema=LEDGER)
    there = set(_keys(read(root, every=True)))
    new = {key: i for i, key in enumerate(_keys(given)) if key not in there}
    if not new:
        return 0
    table = given.take(pa.array(sorted(new.values(), key=lambda i: _order(given, i)), pa.int64()))
    data = to_parquet(table)
    storage.put(root, f"{FOLDER}/{blake2b(data, digest_size=16).hexdigest()}.parquet", data)
    return len(table)


def terms(root: str) -> dict[str, Any]:
    """How the answers are to be read: how many votes a question wants."""
    return USUAL | (storage.get_json(root, TERMS) or {})


def agree(root: str, *, votes: int) -> None:
    """Set how the answers are to be read from now on."""
    if terms(root)["votes"] != votes:
        storage.put_json(root, TERMS, {"votes": votes})


def read(root: str, *, every: bool = False) -> pa.Table:
    """All answers, oldest first; of an answer that its annotator changed the last form only, unless `every` is asked.

    Raises UserError when a file is damaged: what people said cannot be made again.
    """
    parts = [LEDGER.empty_table()]
    for name in sorted(n for n in storage.names(root, FOLDER) if n.endswith(".parquet") and "/." not in n):
        data = storage.get(root, name) or b""
        if blake2b(data, digest_size=16).hexdigest() != name.rsplit("/", 1)[-1].removesuffix(".parquet"):
            raise UserError(f"{root}/{name} is damaged: put it back from a backup, it holds what people answered")
        parts.append(pq.read_table(pa.BufferReader(data), schema=LEDGER))
    whole = pa.concat_tables(parts)
    order = pc.sort_indices(whole, [("at", "ascending"), ("answer_id", "ascending"), ("finding_id", "ascending")])
    whole = whole.take(order)
    if every:
        return whole
    last = {
        key: i for i, key in enumerate(zip(*(whole[c].to_pylist() for c in ("answer_id", "finding_id")), strict=True))
    }
    return whole.take(pa.array(sorted(last.values()), pa.int64()))


def _keys(rows: pa.Table) -> list[tuple[Any, ...]]:
    """What makes an answer another one: who cares to change an answer gives it a new time."""
    columns = ("answer_id", "finding_id", "verdict", "at")
    return list(zip(*(rows[c].to_pylist() for c in columns), strict=True))


def _order(rows: pa.Table, i: int) -> tuple[str, str]:
    return str(rows["answer_id"][i].as_py()), str(rows["finding_id"][i].as_py())
