"""The question log: every item that was sent to annotators, with the findings that its answer decides.

An answer comes back with the item's id alone; the log gives the findings for it. It also holds what annotators must not
see: which questions are gold. It is written to ROOT/asked/<digest>.parquet before anything is sent; logging the same
questions again writes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.review.answers.ledger import LedgerRow
from pipeline.review.questions.case import Case
from pipeline.review.questions.finding_ref import REF_COLUMNS, FindingRef
from pipeline.review.questions.question import Answer, verdict_of
from pipeline.schema import finding_id
from pipeline.tables import storage
from pipeline.tables.digests import content_digest, named_by_digest
from pipeline.tables.parquet import from_parquet, to_parquet

FOLDER = "asked"
QUESTION_LOG = pa.schema(
    [
        ("item", pa.string()),  # the item's id on the page: the finding_id of the first finding that its answer decides
        *(pa.field(c, pa.string()) for c in REF_COLUMNS),
        ("group", pa.string()),
        ("page", pa.string()),
        ("purpose", pa.string()),
        ("expected", pa.string()),
        ("same_means", pa.string()),
        ("guess", pa.string()),  # the machine's verdict
    ]
)


@dataclass(frozen=True)
class LoggedItem:
    """One finding that the answer to an item decides; an item with several findings has as many of these records."""

    item: str  # id
    finding: FindingRef
    group: str
    page: str
    purpose: str  # case, audit or gold
    expected: str | None  # the known verdict of a gold question
    same_means: str  # the verdict on the finding when people answer "the same person"
    guess: str  # the machine's verdict

    def columns(self) -> dict[str, Any]:
        """The values by column name, as QUESTION_LOG has them."""
        return {**self.finding.columns(), **{c: getattr(self, c) for c in QUESTION_LOG.names if c not in REF_COLUMNS}}


def log_questions(root: str, cases: Iterable[tuple[Case, str]]) -> None:
    """Log cases before they are sent, each with the group of annotators that it is sent to."""
    items = [
        LoggedItem(c.id, ref, group, c.page, c.purpose, c.expected, c.same_means, c.machine_verdict)
        for c, group in cases
        for ref in c.findings
    ]
    if not items:
        return
    items.sort(key=lambda i: (i.item, i.finding.finding_id, i.purpose))
    data = to_parquet(pa.Table.from_pylist([i.columns() for i in items], schema=QUESTION_LOG))
    name = f"{FOLDER}/{content_digest(data)}.parquet"
    if storage.get(root, name) is None:
        storage.put(root, name, data)


def read_question_log(root: str) -> list[LoggedItem]:
    """All items that were sent, in no order."""
    files = named_by_digest(root, FOLDER, what="the questions that were sent, without which answers cannot be read")
    tables = (from_parquet(data, QUESTION_LOG) for data in files)
    return [
        LoggedItem(item, FindingRef(*rest[: len(REF_COLUMNS)]), *rest[len(REF_COLUMNS) :])
        for table in tables
        for item, *rest in zip(*(table[c].to_pylist() for c in QUESTION_LOG.names), strict=True)
    ]


def to_ledger_rows(answers: Iterable[Answer], log: Iterable[LoggedItem]) -> tuple[list[LedgerRow], int]:
    """The answers as rows of the ledger, and the number of answers whose item is not in the log."""
    by_item: dict[str, dict[str, LoggedItem]] = {}
    for logged in sorted(log, key=lambda i: i.purpose):  # a finding that was sent as audit and as case counts as case
        by_item.setdefault(logged.item, {})[logged.finding.finding_id] = logged
    rows: list[LedgerRow] = []
    unknown = 0
    for answer in answers:
        unknown += answer.item not in by_item
        for logged in by_item.get(answer.item, {}).values():
            rows += _rows(answer, logged)
    return rows, unknown


def _rows(answer: Answer, logged: LoggedItem) -> list[LedgerRow]:
    """The rows for one answer: on the finding, and for "no usable face" also "yes" on the finding that it is poor."""
    ref = logged.finding
    verdicts = {ref: verdict_of(answer.choice, logged.same_means)}
    if answer.choice == "unusable" and logged.purpose != "gold":
        poor = FindingRef(finding_id("poor", ref.subject), "poor", ref.subject, None, ref.subject_face, None)
        verdicts[poor] = "yes"
    return [
        LedgerRow(
            finding,
            verdict,
            answer.annotator,
            logged.purpose,
            answer.answer_id,
            at=answer.at,
            group=logged.group,
            seconds=answer.seconds,
            choice=answer.choice,
            knows=answer.knows,
            expected=logged.expected,
        )
        for finding, verdict in verdicts.items()
    ]
