"""Checks of a root and its review after a kill: nothing is lost, damaged or there twice.

Every check returns its faults, a line each.
"""

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flows.review.sending import REPEATED
from pipeline.errors import UserError
from pipeline.refinement import FILE, latest
from pipeline.review.answers import ledger
from pipeline.review.answers.question_log import read_question_log
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.records import Review, Server
from pipeline.review.questions.question import MIXED
from tests.builders.label_studio.simulated_annotators import AnsweredPage

NOT_TABLES = ("review/", "asked/", "ledger/")  # folders of a root whose files no manifest lists
Digests = dict[str, str]  # of files, by their paths from the root


def digests(root: Path) -> Digests:
    """The digest of every file of a root's tables, without locks and half-written files."""
    result = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root).as_posix()
        if not name.startswith(NOT_TABLES) and not name.endswith((".tmp", ".lock")):
            result[name] = digest_of(path.read_bytes())
    return result


def half_written(root: Path) -> list[str]:
    """Half-written files; their names end with .tmp, and no command reads them."""
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*.tmp"))


def unexpected_files(files: Digests, expected: Mapping[str, str]) -> Iterator[str]:
    """Files that are not among those of an undisturbed run, or have other bytes.

    expected: the files of an undisturbed run after the same step, or a later one.
    """
    for name, digest in files.items():
        if name not in expected:
            yield f"{name} is not a file of an undisturbed run"
        elif digest != expected[name] and name != FILE:  # refinement.json is rewritten last, by every run
            yield f"{name} has other bytes than in an undisturbed run"


def differing_files(files: Digests, expected: Mapping[str, str]) -> list[str]:
    """The names of files that are missing on one side or have different bytes."""
    return sorted(n for n in files.keys() | expected.keys() if files.get(n) != expected.get(n))


def damaged_files(root: Path, files: Digests) -> Iterator[str]:
    """Manifests that are not JSON, shards that are missing or changed, and shards that are not Parquet."""
    for name, digest in files.items():
        if name.endswith(".parquet"):
            yield from _no_parquet(root / name, digest)
            continue
        try:
            value = json.loads((root / name).read_bytes())
        except ValueError as error:
            yield f"{name} is not JSON: {error}"
            continue
        for shard in value.get("shards", []):
            if files.get(shard["path"]) != shard["digest"]:
                yield f"{name} lists {shard['path']}, which is {'changed' if shard['path'] in files else 'missing'}"


def _no_parquet(path: Path, digest: str) -> Iterator[str]:
    try:
        pq.ParquetFile(io.BytesIO(path.read_bytes())).metadata.to_dict()
    except (pa.ArrowInvalid, OSError) as error:
        yield f"{path.name} ({digest}) is not Parquet: {error}"


def unaccounted_photos(root: str, keys: Iterable[str]) -> list[str]:
    """Photos that are not in the labels exactly once, and an account that does not add up. keys: of all photos."""
    refinement, expected = latest(root), Counter(list(keys))  # of a mapping the keys alone
    labelled = Counter(refinement.labels.read(["key"])["key"].to_pylist())
    faults = [f"photo {k}: {labelled[k]} times" for k in expected | labelled if labelled[k] != expected[k]]
    account = refinement.account
    if account.ingested != account.kept + sum(account.removed.values()):
        faults.append(f"the account does not add up: {account}")
    return faults


def doubled_rows(root: str) -> list[str]:
    """Decisions, answers and labels that are in a table twice, and answers that are in the ledger twice."""
    refinement = latest(root)
    columns = [("labels", refinement.labels, "face_id"), ("decisions", refinement.decisions, "finding_id")]
    if refinement.answers is not None:
        columns.append(("answers", refinement.answers, "finding_id"))
    faults = []
    for name, table, column in columns:
        counts = Counter(table.read([column])[column].to_pylist())
        faults += [f"{name} {i}: {n} times" for i, n in counts.items() if n > 1]
    rows = ledger.read(root, superseded=True).select(["answer_id", "finding_id", "verdict", "at"]).to_pylist()
    return faults + [f"ledger {k}: {n} times" for k, n in Counter(tuple(r.values()) for r in rows).items() if n > 1]


def lost_answers(root: str, pages: Iterable[AnsweredPage]) -> list[str]:
    """Answers that are not in the ledger exactly once for each finding of their page, and answers nobody gave.

    pages: all pages that were answered before the last `collect`.
    """
    findings: dict[str, set[str]] = {}
    for logged in read_question_log(root):
        findings.setdefault(logged.item, set()).add(logged.finding.finding_id)
    rows = [r for r in ledger.rows_of(ledger.read(root)) if r.purpose != "policy"]
    held = Counter((r.answer_id, r.finding.finding_id) for r in rows)
    expected = {
        (page.answer_id, finding)
        for page in pages
        for item in page.items
        for finding in findings.get(item, {f"item {item} that was never sent"})
    }
    faults = [f"answer {k}: not in the ledger" for k in expected - held.keys()]
    faults += [f"answer {k}: nobody gave it" for k in held.keys() - expected]
    return faults + [f"answer {k}: {n} times" for k, n in held.items() if n > 1]


def doubled_questions(server: Server, review: Review) -> list[str]:
    """Projects, questions and items that are on the server more than once.

    Items may be on the server again in projects for one more opinion, so these projects do not count for items.
    """
    studio = StudioClient(server)
    projects = studio.projects(review)
    faults = [f"project {m.title()}: {n} times" for m, n in Counter(p.mark for p in projects).items() if n > 1]
    tasks = [(p, t) for p in projects for t in studio.tasks(p.id)]
    faults += [f"question {q}: {n} times" for q, n in Counter(t.question for _, t in tasks).items() if n > 1]
    once = [(p, t) for p, t in tasks if not p.mark.group.endswith(REPEATED)]
    # a mixed page asks about an identity; its photos may be on other pages, too
    items = Counter(i for p, t in once for i in (t.items[:1] if p.mark.page == MIXED else t.items))
    return faults + [f"item {i}: on {n} pages" for i, n in items.items() if n > 1]


def unreadable_files(root: str) -> list[str]:
    """The error when the ledger or the question log cannot be read after a kill."""
    try:
        ledger.read(root, superseded=True)
        read_question_log(root)
    except (UserError, pa.ArrowInvalid) as error:
        return [str(error)]
    return []


def _without_ledger_files(file: Path) -> dict[str, Any]:
    """What a refinement.json holds but for the ledger's files: a killed command may have written more of them."""
    return {key: value for key, value in json.loads(file.read_bytes()).items() if key not in ("ledger", "digest")}


def roots_differ(root: Path, twin: Path) -> list[str]:
    """The differences of two roots in their refinements in force and in the rows of their ledgers."""
    faults = []
    content, twin_content = (_without_ledger_files(Path(r, FILE)) for r in (root, twin))
    if content != twin_content:
        tables, twin_tables = content["tables"], twin_content["tables"]
        names = sorted(n for n in tables.keys() | twin_tables.keys() if tables.get(n) != twin_tables.get(n))
        faults += [f"table {name} differs" for name in names] or [f"{FILE} differs"]
    a, b = digests(root), digests(twin)
    for table in latest(str(twin)).tables.values():  # manifests may name other inputs that hold the same bytes
        faults += [f"{s.path} differs" for s in table.shards if a.get(s.path) != b.get(s.path)]
    rows: list[list[dict[str, Any]]] = [ledger.read(str(r)).to_pylist() for r in (root, twin)]
    return faults if rows[0] == rows[1] else [*faults, "the ledgers differ"]


def digest_of(data: bytes) -> str:
    """The digest of a file's bytes, as in manifests and in the names of ledger files."""
    return blake2b(data, digest_size=16).hexdigest()
