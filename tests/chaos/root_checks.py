"""What a kill may have done to a root and to its review: nothing lost, nothing half there, nothing twice.

Every function returns what is wrong, a line each; no line is what one wants to read.
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

from flows.review.flow import OPINION
from pipeline.errors import UserError
from pipeline.refinement import FILE, latest
from pipeline.review.answers import ledger
from pipeline.review.answers.question_log import notes
from pipeline.review.label_studio.client import Server, Studio
from tests.chaos.simulated_annotators import Given

NOT_TABLES = ("review/", "asked/", "ledger/")  # of a root's files, those that no manifest lists
Digests = dict[str, str]


def digests(root: Path) -> Digests:
    """The digest of every file of a root's tables by its name; locks and half-written files are none."""
    found = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root).as_posix()
        if not name.startswith(NOT_TABLES) and not name.endswith((".tmp", ".lock")):
            found[name] = digest_of(path.read_bytes())
    return found


def half_written(root: Path) -> list[str]:
    """Files that were begun and not finished: they have names of their own, and nobody reads them."""
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*.tmp"))


def unlike(found: Digests, expected: Mapping[str, str]) -> Iterator[str]:
    """Files that an undisturbed run does not have, or has with other bytes.

    expected: of an undisturbed run that has gone as far or further.
    """
    for name, digest in found.items():
        if name not in expected:
            yield f"{name} is not of an undisturbed run"
        elif digest != expected[name] and name != FILE:  # which says what is in force, and is written last
            yield f"{name} has other bytes than an undisturbed run's"


def differ(found: Digests, expected: Mapping[str, str]) -> list[str]:
    """Files that are not the same in both."""
    return sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))


def broken(root: Path, found: Digests) -> Iterator[str]:
    """Manifests that are no JSON or name a shard that is not as they say, and shards that are no Parquet."""
    for name, digest in found.items():
        if name.endswith(".parquet"):
            yield from _no_parquet(root / name, digest)
            continue
        try:
            value = json.loads((root / name).read_bytes())
        except ValueError as error:
            yield f"{name} is no JSON: {error}"
            continue
        for shard in value.get("shards", []):
            if found.get(shard["path"]) != shard["digest"]:
                yield f"{name} names {shard['path']}, which is {'other' if shard['path'] in found else 'not there'}"


def _no_parquet(path: Path, digest: str) -> Iterator[str]:
    try:
        pq.ParquetFile(io.BytesIO(path.read_bytes())).metadata.to_dict()
    except (pa.ArrowInvalid, OSError) as error:
        yield f"{path.name} ({digest}) is no Parquet: {error}"


def unaccounted(root: str, keys: Iterable[str]) -> list[str]:
    """Photos that the labels lack or have twice, and an account that does not add up."""
    done, wanted = latest(root), Counter(list(keys))  # of a mapping, its keys
    there = Counter(done.labels.read(["key"])["key"].to_pylist())
    wrong = [f"photo {key}: {there[key]} times" for key in wanted | there if there[key] != wanted[key]]
    account = done.account
    if account.ingested != account.kept + sum(account.removed.values()):
        wrong.append(f"the account does not add up: {account}")
    return wrong


def doubled(root: str) -> list[str]:
    """Decisions and answers that are there twice: in the tables, and in the ledger."""
    tables = latest(root).tables
    wrong = []
    for role in {"decisions", "answers", "labels"} & tables.keys():
        column = "face_id" if role == "labels" else "finding_id"
        wrong += [
            f"{role} {i}: {n} times"
            for i, n in Counter(tables[role].read([column])[column].to_pylist()).items()
            if n > 1
        ]
    rows = ledger.read(root, every=True).select(["answer_id", "finding_id", "verdict", "at"]).to_pylist()
    return wrong + [f"ledger {k}: {n} times" for k, n in Counter(tuple(r.values()) for r in rows).items() if n > 1]


def lost(root: str, given: Iterable[Given]) -> list[str]:
    """Answers that were given and collected, of which the ledger does not hold exactly one for each finding asked."""
    asked: dict[str, set[str]] = {}
    for note in notes(root):
        asked.setdefault(note["item"], set()).add(note["finding_id"])
    rows = [r for r in ledger.read(root).to_pylist() if r["purpose"] != "policy"]
    there = Counter((r["answer_id"], r["finding_id"]) for r in rows)
    wanted = Counter(
        (g.answer_id, f) for g in given for i in g.items for f in asked.get(i, {f"item {i} without a note"})
    )
    wrong = [f"answer {k}: not in the ledger" for k in wanted.keys() - there.keys()]
    wrong += [f"answer {k}: nobody gave it" for k in there.keys() - wanted.keys()]
    return wrong + [f"answer {k}: {n} times" for k, n in there.items() if n > 1]


def asked_twice(server: Server, review: str) -> list[str]:
    """Projects, questions and items that the server has more than once; for another opinion an item may come again."""
    studio = Studio(server)
    projects = studio.projects(review)
    wrong = [f"project {m.title()}: {n} times" for m, n in Counter(p.mark for p in projects).items() if n > 1]
    tasks = [(p, t) for p in projects for t in studio.tasks(p.id)]
    wrong += [f"question {q}: {n} times" for q, n in Counter(t.question for _, t in tasks).items() if n > 1]
    items = Counter(i for p, t in tasks if not p.mark.group.endswith(OPINION) for i in t.items)
    return wrong + [f"item {i}: on {n} pages" for i, n in items.items() if n > 1]


def unread(root: str) -> list[str]:
    """What of a review's own files cannot be read after a kill: the ledger, the notes."""
    try:
        ledger.read(root, every=True)
        notes(root)
    except (UserError, pa.ArrowInvalid) as error:
        return [str(error)]
    return []


def otherwise(root: Path, twin: Path) -> list[str]:
    """How two roots differ in the refinement that is in force and in what their ledgers hold."""
    wrong = []
    one, two = (Path(r, FILE).read_bytes() for r in (root, twin))
    if one != two:
        mine, theirs = (json.loads(d)["tables"] for d in (one, two))
        wrong += [f"table {role} differs" for role in mine.keys() | theirs.keys() if mine.get(role) != theirs.get(role)]
        wrong += [] if wrong else [f"{FILE} differs"]
    a, b = digests(root), digests(twin)
    for table in latest(str(twin)).tables.values():  # their manifests may name other inputs that hold the same bytes
        wrong += [f"{s.path} differs" for s in table.shards if a.get(s.path) != b.get(s.path)]
    rows: list[list[dict[str, Any]]] = [ledger.read(str(r)).to_pylist() for r in (root, twin)]
    return wrong if rows[0] == rows[1] else [*wrong, "the ledgers differ"]


def digest_of(data: bytes) -> str:
    """A file's digest as manifests and the ledger have it."""
    return blake2b(data, digest_size=16).hexdigest()
