"""The ledger of a root: all answers, which are only added and never changed. Only it and the photos need a backup.

An answer is withdrawn by a further row with its id, the purpose WITHDRAWN and a later time.

Answers that come in together become one file ROOT/ledger/<digest>.parquet, named by a digest of its content. The file
is written whole or not at all. Appending the same answers again writes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UserError
from pipeline.review.questions.finding_ref import REF_COLUMNS, FindingRef
from pipeline.schema import LEDGER
from pipeline.tables import storage
from pipeline.tables.digests import content_digest, named_by_digest
from pipeline.tables.parquet import from_parquet, to_parquet

FOLDER = "ledger"
TERMS_FILE = "ledger/terms.json"
DEFAULT_VOTES = 2
WITHDRAWN = "withdrawn"  # the purpose of a row that takes an answer back
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)  # stands for the time of rows without one, such as those of known truth
SMALL_FILE_BYTES = 1 << 16
CLOCK_STEP = timedelta(microseconds=1)  # the smallest difference between two times in the ledger
PEOPLES_PURPOSES = ("case", "audit", "gold")  # purposes of questions that people answered
ANSWER_COLUMNS = [c for c in LEDGER.names if c not in REF_COLUMNS]


@dataclass(frozen=True)
class LedgerRow:
    """One answer to one finding. Each attribute but `finding` is a column of schema.LEDGER."""

    finding: FindingRef
    verdict: str  # yes, no or unsure
    who: str  # the annotator; or "policy", the name of a list, or "truth"
    purpose: str  # case, audit or gold: a person answered; policy: the machine's view; list or truth: decides alone
    answer_id: str
    at: datetime | None = None
    group: str | None = None
    seconds: float | None = None
    choice: str | None = None
    knows: bool | None = None
    expected: str | None = None
    belief: float | None = None

    def columns(self) -> dict[str, Any]:
        """The values by column name, as schema.LEDGER has them."""
        return {**self.finding.columns(), **{c: getattr(self, c) for c in ANSWER_COLUMNS}}


def answers_of_people(table: pa.Table) -> pa.Table:
    """The rows of a ledger (columns as LEDGER) that people answered, not the policy or a list."""
    return table.filter(pc.is_in(table["purpose"], value_set=pa.array(PEOPLES_PURPOSES)))


def rows_of(table: pa.Table) -> list[LedgerRow]:
    """The rows of a table of answers (columns as LEDGER), in the table's order."""
    refs = zip(*(table[c].to_pylist() for c in REF_COLUMNS), strict=True)
    answers = zip(*(table[c].to_pylist() for c in ANSWER_COLUMNS), strict=True)
    return [
        LedgerRow(FindingRef(*ref), **dict(zip(ANSWER_COLUMNS, answer, strict=True)))
        for ref, answer in zip(refs, answers, strict=True)
    ]


def table_of(rows: Iterable[LedgerRow]) -> pa.Table:
    """The rows as a table, columns as LEDGER."""
    return pa.Table.from_pylist([row.columns() for row in rows], schema=LEDGER)


def append(root: str, rows: Iterable[LedgerRow]) -> int:
    """Add answers and return how many were new; answers that the ledger already holds are left out."""
    table = table_of(rows)
    known = set(_keys(read(root, superseded=True)))
    new = {key: i for i, key in enumerate(_keys(table)) if key not in known}
    if not new:
        return 0
    table = table.take(pa.array(sorted(new.values(), key=lambda i: _order(table, i)), pa.int64()))
    data = to_parquet(table)
    storage.put(root, f"{FOLDER}/{content_digest(data)}.parquet", data)
    return len(table)


def withdraw(root: str, rows: Iterable[LedgerRow]) -> int:
    """Take answers back, and return how many; read() leaves them out until their annotators change them once more.

    A withdrawal has a time just after the answer's, so that no clock decides which of the two counts.
    """
    return append(root, (replace(row, purpose=WITHDRAWN, at=(row.at or NO_TIME) + CLOCK_STEP) for row in rows))


def votes_wanted(root: str) -> int:
    """How many annotators shall answer each question in the root's review."""
    votes = (storage.get_json(root, TERMS_FILE) or {}).get("votes", DEFAULT_VOTES)
    if not isinstance(votes, int) or votes < 1:
        raise UserError(f"{root}/{TERMS_FILE} is damaged (votes {votes!r}): remove it; `review send` writes it again")
    return votes


def set_votes_wanted(root: str, votes: int) -> None:
    """Set how many annotators shall answer each question from now on."""
    if votes_wanted(root) != votes:
        storage.put_json(root, TERMS_FILE, {"votes": votes})


def read(root: str, *, superseded: bool = False) -> pa.Table:
    """All answers that were not withdrawn (columns as LEDGER), oldest first.

    superseded: whether to include the earlier forms of answers that an annotator changed later, and withdrawn answers.
    Raises UserError when a file does not match its digest.
    """
    files = named_by_digest(root, FOLDER, what="people's answers")
    parts = [_parsed(data) if len(data) <= SMALL_FILE_BYTES else from_parquet(data, LEDGER) for data in files]
    table = pa.concat_tables([LEDGER.empty_table(), *parts])
    order = pc.sort_indices(table, [("at", "ascending"), ("answer_id", "ascending"), ("finding_id", "ascending")])
    table = table.take(order)
    return table if superseded else in_force(table)


@lru_cache(maxsize=8192)
def _parsed(data: bytes) -> pa.Table:
    """The answers in a small file. A gallery writes one for each decision, and reads all of them after each."""
    return from_parquet(data, LEDGER)


def in_force(table: pa.Table) -> pa.Table:
    """The answers of a ledger that were neither changed later nor withdrawn; table: all its rows, oldest first."""
    last: dict[tuple[str, str], int] = {}
    purposes = table["purpose"].to_pylist()
    columns = (table[c].to_pylist() for c in ("answer_id", "finding_id", "at"))
    for i, (answer_id, finding_id, at) in enumerate(zip(*columns, strict=True)):
        # rows without a time, such as those of known truth, stand last, but a withdrawal comes after them
        if at is not None or purposes[last.get((answer_id, finding_id), i)] != WITHDRAWN:
            last[answer_id, finding_id] = i
    table = table.take(pa.array(sorted(last.values()), pa.int64()))
    return table.filter(pc.not_equal(table["purpose"], WITHDRAWN))


def _keys(table: pa.Table) -> list[tuple[Any, ...]]:
    """For each row the values by which answers differ; an answer that is changed gets a new time (`at`)."""
    columns = ("answer_id", "finding_id", "verdict", "at")
    return list(zip(*(table[c].to_pylist() for c in columns), strict=True))


def _order(table: pa.Table, i: int) -> tuple[str, str]:
    return str(table["answer_id"][i].as_py()), str(table["finding_id"][i].as_py())
