"""Which tables are a root's refinement now, and which nothing refers to any more.

One small file, ROOT/refinement.json, names the tables of the last finished run; everything else in a root is found
through it, or is named by a training or an experiment that rests on it. It is written last, so a run that was stopped
leaves the earlier refinement in force.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pipeline.errors import UserError
from pipeline.refined.account import Account
from pipeline.tables import storage
from pipeline.tables.table import FORMAT, Table, load, readable

FILE = "refinement.json"
# a manifest, a shard, and what a killed run left half-written beside any file of ours (see storage.put)
OURS = re.compile(r"[a-z_]+/[0-9a-f]{20}(\.json|/[0-9a-f]{20}\.parquet)|([^/]+/)*\.[^/]+\.[0-9a-f]{32}\.tmp")
HOLDERS = re.compile(r"(trainings|bootstrap|experiments)/[0-9a-f]{20}/(result|comparison)\.json")


class Refinement(NamedTuple):
    """A finished refinement: its tables by role, what was asked for, the thresholds used, and the account."""

    tables: dict[str, Table]
    params: dict[str, Any]
    thresholds: dict[str, Any]
    account: dict[str, Any]


def publish(
    root: str,
    tables: Mapping[str, Table],
    *,
    params: Mapping[str, Any],
    thresholds: Mapping[str, Any],
    account: Account,
) -> Refinement:
    """Make these tables the root's refinement."""
    value = {
        "tables": {role: {"table": t.name, "address": t.address} for role, t in tables.items()},
        "params": dict(params),
        "thresholds": dict(thresholds),
        "account": asdict(account),
        "format": FORMAT,
    }
    storage.put_json(root, FILE, value)
    return latest(root)


def latest(root: str) -> Refinement:
    """The root's refinement. Raises UserError when there is none yet or a table of it is gone."""
    value = storage.get_json(root, FILE)
    if value is None:
        raise UserError(f"no finished refinement at {root}: run `refinery refine ... --root {root}` first")
    readable(root, value.get("format", FORMAT))
    tables = {}
    for role, named in value["tables"].items():
        table = load(root, named["table"], named["address"])
        if table is None:
            raise UserError(
                f"the table {named['table']}/{named['address']} is gone from {root}: run the refinement again"
            )
        tables[role] = table
    return Refinement(tables, value["params"], value["thresholds"], value["account"])


def former(root: str) -> dict[str, Table]:
    """The tables of the root's refinement that are still there, by role; none where there is no refinement yet."""
    value = storage.get_json(root, FILE) or {"tables": {}}
    readable(root, value.get("format", FORMAT))
    found = {role: load(root, named["table"], named["address"]) for role, named in value["tables"].items()}
    return {role: table for role, table in found.items() if table is not None}


def findings_of(done: Refinement) -> Table:
    """The findings that a refinement's decisions are about, row by row: the machine's, and what people said besides."""
    return done.tables.get("heard", done.tables["findings"])


def unreferenced(root: str, *, min_age: timedelta) -> dict[str, int]:
    """Files of tables that nothing finished in the root refers to, and their sizes in bytes.

    The refinement refers to its tables, a training to what it learnt from, an experiment to its test sets' faces: they
    and whatever else they need can be made again from those. Models and figures are never listed.
    min_age: younger files belong, perhaps, to a run that is going on, and are left out. Only names that this program
    gives are ever listed. Raises UserError when the root holds no finished refinement.
    """
    names = list(storage.names(root, ""))
    refers = {FILE}
    for table in [*latest(root).tables.values(), *_held(root, names)]:
        refers.add(f"{table.name}/{table.address}.json")
        refers.update(shard.path for shard in table.shards)
    files, base = storage.open_root(root)
    old = datetime.now(UTC) - min_age
    found = {}
    for name in names:
        if name in refers or not OURS.fullmatch(name):
            continue
        info = files.get_file_info(f"{base}/{name}")
        if info.mtime is None or info.mtime <= old:
            found[name] = int(info.size or 0)
    return found


def _held(root: str, names: Iterable[str]) -> Iterator[Table]:
    """The tables that finished trainings and experiments name."""
    for holder in filter(HOLDERS.fullmatch, names):
        for named in (storage.get_json(root, holder) or {}).get("tables", []):
            if table := load(root, *named.split("/")):
                yield table
