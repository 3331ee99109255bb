"""The refinement that is in force in a root, as one typed record, and the tables that nothing refers to any more.

One small file, ROOT/refinement.json, names the tables of the last finished run; everything else in a root is found
through it, or is named by a training or an experiment that rests on it. It is written last, so a run that was stopped
leaves the earlier refinement in force.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pipeline.errors import UserError
from pipeline.tables import storage
from pipeline.tables.table import FORMAT, Table, check_format, load

FILE = "refinement.json"
# a manifest, a shard, and what a killed run left half-written beside any file of ours (see storage.put)
OURS = re.compile(r"[a-z_]+/[0-9a-f]{20}(\.json|/[0-9a-f]{20}\.parquet)|([^/]+/)*\.[^/]+\.[0-9a-f]{32}\.tmp")
HOLDERS = re.compile(r"(trainings|bootstrap|experiments)/[0-9a-f]{20}/(result|comparison)\.json")
# in the file a table has the name of its field, except for fields of several tables, and one whose name is older
NUMBERED = ("embeddings", "test_faces")
HEARD = {"findings_with_people": "heard"}


@dataclass(frozen=True)
class Account:
    """Where every photo went: kept + removed by reason = ingested."""

    ingested: int
    kept: int
    removed: dict[str, int]  # photos by reason
    moved: int  # kept under another identity than claimed
    identities_claimed: int
    identities_kept: int

    def rows(self) -> list[dict[str, object]]:
        """The account as lines of a table: what, photos, share of the ingested."""
        lines = [("kept", self.kept)] + [(f"removed: {r}", n) for r, n in sorted(self.removed.items())]
        table: list[dict[str, object]] = [
            {"what": what, "photos": n, "share": f"{n / max(1, self.ingested):.1%}"} for what, n in lines
        ]
        return [*table, {"what": "ingested", "photos": self.ingested, "share": "100.0%"}]


@dataclass(frozen=True)
class RefineOptions:
    """What a refinement was asked for, as far as labels, reviews and reports need it."""

    min_faces: int = 2  # an identity with fewer photos left is removed
    undecided: str = "keep"  # keep or drop: what happens to photos that people should decide about
    aligned: bool = False  # the photos came as aligned crops
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # by name: the source's kind and path
    test_sets: tuple[str, ...] = ()  # their file names
    ignored: Mapping[str, Mapping[str, int]] = field(
        default_factory=dict
    )  # files that are no photos, by source and reason
    rules: Mapping[str, float] = field(default_factory=dict)  # what the stages before any finding went by


@dataclass(frozen=True)
class Refinement:
    """A finished refinement: its tables, what was asked for, the thresholds used, and the account."""

    photos: Table
    faces: Table
    embeddings: tuple[Table, ...]  # one for each embedder, the better one first
    calibration: Table
    copies: Table
    clusters: Table
    persons: Table
    findings: Table  # what the detectors of noise suspect
    decisions: Table  # row by row beside `judged_findings`
    labels: Table
    test_faces: tuple[Table, ...] = ()  # the faces of each test set
    answers: Table | None = None  # what people answered, in the terms of this refinement; None where nobody did
    findings_with_people: Table | None = None  # the findings, and those that only people's answers have
    options: RefineOptions = RefineOptions()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    account: Account = Account(0, 0, {}, 0, 0, 0)

    @property
    def root(self) -> str:
        """The root in which the tables lie."""
        return self.labels.root

    @property
    def judged_findings(self) -> Table:
        """The findings that the decisions are about, row by row: the machine's, and those of people alone."""
        return self.findings_with_people or self.findings

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by its name in refinement.json."""
        tables: dict[str, Table] = {}
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if isinstance(value, Table):
                tables[HEARD.get(name, name)] = value
            elif name in NUMBERED:
                tables |= {f"{name}_{i}": table for i, table in enumerate(value)}
        return tables


class FormerTables(NamedTuple):
    """The photos and faces of a root's earlier refinement, from which rows may be taken over; None where not there."""

    photos: Table | None
    faces: Table | None


def publish(root: str, refinement: Refinement) -> Refinement:
    """Make this the refinement in force in the root."""
    value = {
        "tables": {role: {"table": t.name, "address": t.address} for role, t in refinement.tables.items()},
        "params": asdict(refinement.options),
        "thresholds": dict(refinement.thresholds),
        "account": asdict(refinement.account),
        "format": FORMAT,
    }
    storage.put_json(root, FILE, value)
    return latest(root)


def latest(root: str) -> Refinement:
    """The refinement in force in the root. Raises UserError when there is none yet or a table of it is gone."""
    value = storage.get_json(root, FILE)
    if value is None:
        raise UserError(f"no finished refinement at {root}: run `refinery refine ... --root {root}` first")
    check_format(root, value.get("format", FORMAT))
    tables: dict[str, Table] = {}
    for role, entry in value["tables"].items():
        table = load(root, entry["table"], entry["address"])
        if table is None:
            raise UserError(
                f"the table {entry['table']}/{entry['address']} is gone from {root}: run the refinement again"
            )
        tables[role] = table
    known = {f.name for f in fields(RefineOptions)}
    options = RefineOptions(**{k: v for k, v in value["params"].items() if k in known})
    return _record(tables, options, value["thresholds"], Account(**value["account"]))


def _record(
    tables: Mapping[str, Table], options: RefineOptions, thresholds: Mapping[str, float], account: Account
) -> Refinement:
    named: dict[str, Any] = {
        name: tuple(tables[role] for role in sorted(tables) if re.fullmatch(f"{name}_\\d+", role)) for name in NUMBERED
    }
    roles = {HEARD.get(f.name, f.name): f.name for f in fields(Refinement)}
    named |= {roles[role]: table for role, table in tables.items() if role in roles}
    return Refinement(**named, options=options, thresholds=thresholds, account=account)


def former_tables(root: str) -> FormerTables:
    """The photos and faces of the root's refinement, as far as they are still there."""
    value = storage.get_json(root, FILE) or {"tables": {}}
    check_format(root, value.get("format", FORMAT))

    def there(role: str) -> Table | None:
        entry = value["tables"].get(role)
        return load(root, entry["table"], entry["address"]) if entry else None

    return FormerTables(there("photos"), there("faces"))


def unreferenced(root: str, *, min_age: timedelta) -> dict[str, int]:
    """Files of tables that nothing finished in the root refers to, and their sizes in bytes.

    The refinement refers to its tables, a training to what it learnt from, an experiment to its test sets' faces: they
    and whatever else they need can be made again from those. Models and figures are never listed.
    min_age: younger files belong, perhaps, to a run that is going on, and are left out. Only names that this program
    gives are ever listed. Raises UserError when the root holds no finished refinement.
    """
    names = list(storage.names(root, ""))
    referred = {FILE}
    for table in [*latest(root).tables.values(), *_held(root, names)]:
        referred.add(f"{table.name}/{table.address}.json")
        referred.update(shard.path for shard in table.shards)
    files, base = storage.open_root(root)
    newest = datetime.now(UTC) - min_age
    sizes = {}
    for name in names:
        if name in referred or not OURS.fullmatch(name):
            continue
        info = files.get_file_info(f"{base}/{name}")
        if info.mtime is None or info.mtime <= newest:
            sizes[name] = int(info.size or 0)
    return sizes


def _held(root: str, names: Iterable[str]) -> Iterator[Table]:
    """The tables that finished trainings and experiments name."""
    for holder in filter(HOLDERS.fullmatch, names):
        for address in (storage.get_json(root, holder) or {}).get("tables", []):
            if table := load(root, *address.split("/")):
                yield table
