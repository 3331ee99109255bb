"""The refinement of a root as one typed record: its tables, options, thresholds and account.

A root's file refinement.json names the tables of its last finished refinement. It is written last, so after a run that
was stopped the earlier refinement is still in force. Tables that neither this file nor a finished training or
experiment names can be removed.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

from pipeline.errors import UserError
from pipeline.tables import storage
from pipeline.tables.digests import DamagedFile, is_as_sealed, sealed
from pipeline.tables.table import FORMAT, Table, check_format, load

FILE, LEDGER = "refinement.json", "ledger"
RESULT_FOLDERS = ("trainings", "bootstrap", "experiments")  # of a root, beside those of its tables
# refinement.json calls a table by the name of its field in Refinement, with two exceptions: the tables of a field that
# holds several are numbered (embeddings_0, embeddings_1), and one field has another name in the file
NUMBERED_FIELDS = ("embeddings", "test_faces", "references", "main_embeddings", "further_embeddings")
NAMES_IN_FILE = {"findings_with_people": "heard"}


@dataclass(frozen=True)
class Account:
    """How many photos were kept, and removed for which reason: kept + removed = ingested."""

    ingested: int
    kept: int
    removed: dict[str, int]  # photos by reason
    moved: int  # relabelled: kept under another identity than claimed
    identities_claimed: int
    identities_kept: int

    def rows(self) -> list[dict[str, object]]:
        """The account as rows of a table: for each outcome the number of photos and their share of all."""
        counts = [("kept", self.kept), *((f"removed: {reason}", n) for reason, n in sorted(self.removed.items()))]
        rows: list[dict[str, object]] = [
            {"what": what, "photos": n, "share": f"{n / max(1, self.ingested):.1%}"} for what, n in counts
        ]
        return [*rows, {"what": "ingested", "photos": self.ingested, "share": "100.0%"}]


@dataclass(frozen=True)
class RefineOptions:
    """Those options of a refinement that later labels, reviews and reports need."""

    min_faces: int = 2  # an identity with fewer remaining photos is removed
    undecided: str = "keep"  # keep or drop: what happens to photos whose finding waits for people's decision
    aligned: bool = False  # whether the photos are aligned crops already
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # kind and path of each source, by its name
    test_sets: tuple[str, ...] = ()  # the file names of the test sets
    # how many files of a source are not photos, by source and reason
    ignored: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    models: tuple[str, ...] = ()  # the files of the detector and of the embedders, the better one first
    follow_links: bool = False  # whether links that lead out of a source were followed
    identity_level: int = 0  # an identity is so many leading folders of a photo's path; 0: all of them
    boxes: tuple[str, ...] = ()  # the file names of the lists of boxes that were given
    # rules by which faces are compared and clustered: see refined/threshold_table.py
    rules: Mapping[str, float] = field(default_factory=dict)
    references: tuple[str, ...] = ()  # names of photos of other people that the calibration used
    # what the run was asked for, by which `refinery erase` makes the tables again: flows/refine/request.py
    request: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)  # what it was measured on: noise/scores/basis.py


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
    findings: Table
    decisions: Table  # a verdict for each row of `judged_findings`
    labels: Table
    test_faces: tuple[Table, ...] = ()  # the faces of each test set
    references: tuple[Table, ...] = ()  # faces and embeddings of photos of other people that the calibration used
    quality: Table | None = None  # of each face; None: a refinement of before there were qualities
    degraded: Table | None = None  # the degraded faces from which the quality is learned
    measures: Table | None = None  # the outputs of a face-quality model; None: without one
    groups: Table | None = None  # the groups of identities; this and the next two: None without groups
    group_calibration: Table | None = None
    group_effects: Table | None = None  # what the calibrations of the groups change
    # faces and embeddings by the detector's rule, before the choice between the faces of a photo; often the same tables
    main_faces: Table | None = None
    main_embeddings: tuple[Table, ...] = ()
    candidates: Table | None = None  # the further faces of photos; None: the photos are aligned crops
    doubts: Table | None = None  # those further faces that were embedded, and their embeddings by each embedder
    companions: Table | None = None  # further faces beside sure persons, which only the calibration uses
    further_embeddings: tuple[Table, ...] = ()
    answers: Table | None = None  # people's verdicts on findings of this refinement; None: there are none
    # the findings, and further ones that only people answered; None: there are no such further ones
    findings_with_people: Table | None = None
    options: RefineOptions = RefineOptions()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    account: Account = Account(0, 0, {}, 0, 0, 0)
    ledger: tuple[str, ...] = ()  # the ledger's files of answers from which the labels were made

    @property
    def root(self) -> str:
        """The root that holds the tables."""
        return self.labels.root

    @property
    def judged_findings(self) -> Table:
        """The findings that have a decision: row i of the decisions is the verdict on row i of this table."""
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
    """Tables of a root's earlier refinement, whose rows may be reused; None: no such table."""

    photos: Table | None
    faces: Table | None  # by the detector's rule
    doubts: Table | None = None
    companions: Table | None = None


def publish(root: str, refinement: Refinement) -> Refinement:
    """Write refinement.json, so that this refinement is in force in the root; returns it as latest() reads it."""
    tables = refinement.tables.items()
    value = {
        # "digest" was of the manifest's bytes in earlier versions
        "tables": {name: {"table": t.name, "address": t.address, "content": t.digest} for name, t in tables},
        "params": asdict(refinement.options),
        "thresholds": dict(refinement.thresholds),
        "account": asdict(refinement.account),
        "ledger": list(refinement.ledger),
        "format": FORMAT,
    }
    storage.put_json(root, FILE, sealed(value))
    return latest(root)


def latest(root: str) -> Refinement:
    """The refinement in force in the root. Raises UserError when there is none yet or one of its tables is missing."""
    value = storage.get_json(root, FILE)
    if value is None:
        raise UserError(f"no finished refinement at {root}: run `refinery refine {root} ...` first")
    try:
        check_format(root, value.get("format", FORMAT))
        if not is_as_sealed(value):
            raise ValueError("its content is not what was written")
        return _record(_tables(root, value["tables"]), value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{root}/{FILE} is damaged ({error!r}): run `refinery refine {root} ...` with the options of before; "
            "finished tables are found, and the file is written again"
        ) from None


def _tables(root: str, entries: Mapping[str, Mapping[str, str]]) -> dict[str, Table]:
    """The tables that refinement.json names."""
    tables: dict[str, Table] = {}
    for name, entry in entries.items():
        table = load(root, entry["table"], entry["address"], digest=entry.get("content", ""))
        if table is None:
            raise UserError(
                f"the table {entry['table']}/{entry['address']} is missing from {root}: run the refinement again"
            )
        tables[name] = table
    return tables


def _record(tables: Mapping[str, Table], value: Mapping[str, Any]) -> Refinement:
    """The refinement of these tables; value: what refinement.json holds. Built-in errors say how it is damaged."""
    option_names = {f.name for f in fields(RefineOptions)}
    options = RefineOptions(**{k: v for k, v in value["params"].items() if k in option_names})
    account = Account(**value["account"])
    thresholds = {name: float(threshold) for name, threshold in value["thresholds"].items()}
    if not all(isinstance(name, str) for name in (*options.models, *options.references)):
        raise TypeError(f"models and references are names of files, found {options.models!r}, {options.references!r}")
    for kind, path in options.sources.values():
        if not isinstance(kind, str) or not isinstance(path, str):
            raise TypeError(f"a source is a kind and a path, found {kind!r} and {path!r}")
    ignored = [number for counts in options.ignored.values() for number in counts.values()]
    for number in (account.ingested, account.kept, *account.removed.values(), *ignored):
        if not isinstance(number, int):
            raise TypeError(f"files and photos are counted, found {number!r}")
    values: dict[str, Any] = {
        field_name: tuple(tables[name] for name in sorted(tables) if re.fullmatch(f"{field_name}_\\d+", name))
        for field_name in NUMBERED_FIELDS
    }
    field_names = {NAMES_IN_FILE.get(f.name, f.name): f.name for f in fields(Refinement)}
    values |= {field_names[name]: table for name, table in tables.items() if name in field_names}
    ledger = tuple(value.get("ledger", ()))
    return Refinement(**values, options=options, thresholds=thresholds, account=account, ledger=ledger)


def ledger_files(root: str) -> list[str]:
    """The files of answers in the ledger of a root."""
    return [name for name in storage.list_files(root, LEDGER) if name.endswith(".parquet") and "/." not in name]


def former_tables(root: str) -> FormerTables:
    """Those tables that refinement.json names, each None if it does not exist or is damaged."""
    value = storage.get_json(root, FILE) or {}
    if isinstance(value.get("format"), int):
        check_format(root, value["format"])
    tables = value.get("tables")

    def existing(name: str) -> Table | None:
        entry = tables.get(name) if isinstance(tables, dict) else None
        address = entry.get("address") if isinstance(entry, dict) else None  # of a damaged file nothing is reused
        try:
            return load(root, name.removeprefix("main_"), address) if isinstance(address, str) else None
        except DamagedFile:
            return None

    faces = existing("main_faces") or existing("faces")
    return FormerTables(existing("photos"), faces, existing("doubts"), existing("companions"))
