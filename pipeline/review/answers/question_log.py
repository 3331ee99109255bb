"""What was asked: a note for every item ever sent, so that an answer, which brings only an id, can be understood.

ROOT/asked/<digest>.parquet, written before anything is sent; the same questions again write nothing. The notes also
hold what an annotator must not see: which questions are gold.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.review.questions.cases import Case
from pipeline.review.questions.question import Answer
from pipeline.schema import finding_id
from pipeline.tables import storage
from pipeline.tables.parquet import to_parquet

FOLDER = "asked"
ABOUT = ("finding_id", "kind", "subject", "object", "face", "other")
ASKED = pa.schema(
    [
        ("item", pa.string()),  # what the page knows: the finding_id of the first of the findings it is about
        *(pa.field(c, pa.string()) for c in ABOUT),
        ("group", pa.string()),
        ("page", pa.string()),
        ("purpose", pa.string()),
        ("expected", pa.string()),
        ("same_means", pa.string()),
        ("guess", pa.string()),
    ]
)


def note(root: str, cases: Iterable[tuple[Case, str]]) -> None:
    """Write down what is about to be asked, and which group is."""
    rows = [
        {
            **about,
            "item": c.about["finding_id"],
            "group": group,
            "page": c.page,
            "purpose": c.purpose,
            "expected": c.expected,
            "same_means": c.same_means,
            "guess": c.guess,
        }
        for c, group in cases
        for about in (c.about, *c.also)
    ]
    if not rows:
        return
    rows.sort(key=lambda r: (r["item"], r["finding_id"], r["purpose"]))
    data = to_parquet(pa.Table.from_pylist(rows, schema=ASKED))
    name = f"{FOLDER}/{blake2b(data, digest_size=16).hexdigest()}.parquet"
    if storage.get(root, name) is None:
        storage.put(root, name, data)


def notes(root: str) -> list[dict[str, Any]]:
    """Every note, in no order."""
    names = [n for n in storage.names(root, FOLDER) if n.endswith(".parquet") and "/." not in n]
    tables = (pq.read_table(pa.BufferReader(storage.get(root, name)), schema=ASKED) for name in names)
    return [row for table in tables for row in table.to_pylist()]


def understood(answers: Iterable[Answer], known: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The answers as rows of the ledger, and how many were about items of which no note is kept."""
    by_item: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in sorted(known, key=lambda r: str(r["purpose"])):  # what is audited and a case as well is a case
        by_item.setdefault(row["item"], {})[row["finding_id"]] = row
    rows, strange = [], 0
    for answer in answers:
        strange += answer.item not in by_item
        for row in by_item.get(answer.item, {}).values():
            rows += _rows(answer, row)
    return rows, strange


def _rows(answer: Answer, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What one answer says: of the finding, and, when the face shows nobody, that it does."""
    given = {
        "who": answer.who,
        "group": row["group"],
        "at": answer.at,
        "seconds": answer.seconds,
        "choice": answer.choice,
        "knows": answer.knows,
        "purpose": row["purpose"],
        "expected": row["expected"],
        "answer_id": answer.answer_id,
    }
    said = {c: row[c] for c in ABOUT} | given | {"verdict": verdict(answer.choice, row["same_means"])}
    if answer.choice != "unusable" or row["purpose"] == "gold":
        return [said]
    poor = {"finding_id": finding_id("poor", row["subject"]), "kind": "poor", "object": None, "other": None}
    return [said, said | poor | {"verdict": "yes"}]


def verdict(choice: str, same_means: str) -> str:
    """What a choice says of a finding; same_means: what "the same person" would."""
    if choice not in ("same", "other", "different"):
        return "unsure"
    return same_means if choice == "same" else ("no" if same_means == "yes" else "yes")
