"""The refinement of a root as one typed record: its tables, options, thresholds and account.

A root's file refinement.json names the tables of its last finished refinement. It is written last, so after a run that
was stopped the refinement before it is still the one in force. Tables that neither this file nor a finished training
or experiment names can be removed.
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
# a manifest, a shard, and the half-written temporary file that a killed run left beside any file (see storage.put)
OUR_FILES = re.compile(r"[a-z_]+/[0-9a-f]{20}(\.json|/[0-9a-f]{20}\.parquet)|([^/]+/)*\.[^/]+\.[0-9a-f]{32}\.tmp")
REFERRING_FILES = re.compile(r"(trainings|bootstrap|experiments)/[0-9a-f]{20}/(result|comparison)\.json")
# in refinement.json a table is called as its field here, but for fields of several tables (name_0, name_1) and one name
NUMBERED_FIELDS = ("embeddings", "test_faces")
NAMES_IN_FILE = {"findings_with_people": "heard"}


@dataclass(frozen=True)
class Account:
    """What became of the photos, in numbers: kept + removed by reason = ingested."""

    ingested: int
    kept: int
    removed: dict[str, int]  # photos by reason
    moved: int  # relabelled: kept under another identity than claimed
    identities_claimed: int
    identities_kept: int

    def rows(self) -> list[dict[str, object]]:
        """The account as rows of a table: what became of how many photos, and their share of the ingested."""
        counts = [("kept", self.kept), *((f"removed: {reason}", n) for reason, n in sorted(self.removed.items()))]
        rows: list[dict[str, object]] = [
            {"what": what, "photos": n, "share": f"{n / max(1, self.ingested):.1%}"} for what, n in counts
        ]
        return [*rows, {"what": "ingested", "photos": self.ingested, "share": "100.0%"}]


@dataclass(frozen=True)
class RefineOptions:
    """The options of a refinement, as far as later labels, reviews and reports need them."""

    min_faces: int = 2  # an identity with fewer photos left is removed
    undecided: str = "keep"  # keep or drop: the fate of photos whose finding is left for people to decide
    aligned: bool = False  # the photos came as aligned crops
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # by name: the source's kind and path
    test_sets: tuple[str, ...] = ()  # their file names
    # files of a source that are no photos, counted by source and reason
    ignored: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rules: Mapping[str, float] = field(default_factory=dict)  # rates that group faces, before there are findings


@dataclass(frozen=True)
class Refinement:
    """A finished refinement: its tables, its options, the thresholds of its policy, and its account."""

    photos: Table
    faces: Table
    embeddings: tuple[Table, ...]  # one for each embedder, the better one first
    calibration: Table
    copies: Table
    clusters: Table
    persons: Table
    findings: Table  # what the detectors of noise suspect
    decisions: Table  # a verdict for each row of `judged_findings`
    labels: Table
    test_faces: tuple[Table, ...] = ()  # the faces of each test set
    answers: Table | None = None  # people's verdicts, about this refinement's groups; None where there are none
    findings_with_people: Table | None = None  # the findings, and others that people answered about
    options: RefineOptions = RefineOptions()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    account: Account = Account(0, 0, {}, 0, 0, 0)

    @property
    def root(self) -> str:
        """The root in which the tables lie."""
        return self.labels.root

    @property
    def judged_findings(self) -> Table:
        """The findings that the decisions are about, row by row, those that only people answered about included."""
        return self.findings_with_people or self.findings

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by its name in refinement.json."""
        tables: dict[str, Table] = {}
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if isinstance(value, Table):
                tables[NAMES_IN_FILE.get(name, name)] = value
            elif name in NUMBERED_FIELDS:
                tables |= {f"{name}_{i}": table for i, table in enumerate(value)}
        return tables


class FormerTables(NamedTuple):
    """The photos and faces tables of a root's earlier refinement, from which rows may be reused; None where missing."""

    photos: Table | None
    faces: Table | None


def publish(root: str, refinement: Refinement) -> Refinement:
    """Write refinement.json, so that this is the refinement in force in the root; return it as read again."""
    value = {
        "tables": {name: {"table": t.name, "address": t.address} for name, t in refinement.tables.items()},
        "params": asdict(refinement.options),
        "thresholds": dict(refinement.thresholds),
        "account": asdict(refinement.account),
        "format": FORMAT,
    }
    storage.put_json(root, FILE, value)
    return latest(root)


def latest(root: str) -> Refinement:
    """The refinement in force in the root. Raises UserError when there is none yet or one of its tables is missing."""
    value = storage.get_json(root, FILE)
    if value is None:
        raise UserError(f"no finished refinement at {root}: run `refinery refine {root} ...` first")
    check_format(root, value.get("format", FORMAT))
    tables: dict[str, Table] = {}
    for name, entry in value["tables"].items():
        table = load(root, entry["table"], entry["address"])
        if table is None:
            raise UserError(
                f"the table {entry['table']}/{entry['address']} is gone from {root}: run the refinement again"
            )
        tables[name] = table
    known = {f.name for f in fields(RefineOptions)}
    options = RefineOptions(**{k: v for k, v in value["params"].items() if k in known})
    return _record(tables, options, value["thresholds"], Account(**value["account"]))


def _record(
    tables: Mapping[str, Table], options: RefineOptions, thresholds: Mapping[str, float], account: Account
) -> Refinement:
    named: dict[str, Any] = {
        name: tuple(tables[role] for role in sorted(tables) if re.fullmatch(f"{name}_\\d+", role))
        for name in NUMBERED_FIELDS
    }
    field_names = {NAMES_IN_FILE.get(f.name, f.name): f.name for f in fields(Refinement)}
    named |= {field_names[name]: table for name, table in tables.items() if name in field_names}
    return Refinement(**named, options=options, thresholds=thresholds, account=account)


def former_tables(root: str) -> FormerTables:
    """The photos and faces tables of the root's refinement, as far as they still exist."""
    value = storage.get_json(root, FILE) or {"tables": {}}
    check_format(root, value.get("format", FORMAT))

    def existing(name: str) -> Table | None:
        entry = value["tables"].get(name)
        return load(root, entry["table"], entry["address"]) if entry else None

    return FormerTables(existing("photos"), existing("faces"))


def unreferenced(root: str, *, min_age: timedelta) -> dict[str, int]:
    """The files of tables that nothing finished in the root refers to, and their sizes in bytes.

    The refinement refers to its tables, a training to the tables it was trained on, an experiment to the faces of its
    test sets; every other table can be built again from those. Models and results are never listed, nor any file whose
    name this program does not give. min_age: younger files may belong to a run that is going on, and are left out.
    Raises UserError when the root holds no finished refinement.
    """
    names = list(storage.names(root, ""))
    referred = {FILE}
    for table in [*latest(root).tables.values(), *_tables_of_trainings(root, names)]:
        referred.add(f"{table.name}/{table.address}.json")
        referred.update(shard.path for shard in table.shards)
    files, base = storage.open_root(root)
    newest = datetime.now(UTC) - min_age
    sizes = {}
    for name in names:
        if name in referred or not OUR_FILES.fullmatch(name):
            continue
        info = files.get_file_info(f"{base}/{name}")
        if info.mtime is None or info.mtime <= newest:
            sizes[name] = int(info.size or 0)
    return sizes


def _tables_of_trainings(root: str, names: Iterable[str]) -> Iterator[Table]:
    """The tables that finished trainings and experiments name."""
    for name in filter(REFERRING_FILES.fullmatch, names):
        for address in (storage.get_json(root, name) or {}).get("tables", []):
            if table := load(root, *address.split("/")):
                yield table
