"""The decisions in the ledger, by whom and when, the last ones first; withdrawn ones stay in the list."""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.browse.snapshot import Snapshot
from pipeline.refined.reasons import FINDINGS
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import NO_TIME, PEOPLES_PURPOSES, WITHDRAWN, LedgerRow

NAMED = 3  # subjects of a decision that are named
VERDICTS = {"yes": "right", "no": "wrong", "unsure": "cannot tell"}


@dataclass(frozen=True)
class Event:
    """A decision of a person or a list, which may be about several findings."""

    answer_id: str
    at: str  # ISO 8601, UTC; "" where it has no time
    who: str
    purpose: str
    lines: list[str]  # what was said, in words
    names: list[str]  # identities that it is about
    faces: list[str]  # face_ids that it is about
    withdrawn: bool
    can_be_undone: bool  # here; lists are withdrawn by `refinery apply-list --withdraw`


@dataclass(frozen=True)
class HistoryPage:
    """A part of all decisions."""

    total: int
    offset: int
    events: list[Event]


def history(snapshot: Snapshot, *, offset: int = 0, limit: int = 50, who: str = "") -> HistoryPage:
    """The decisions in the ledger, the last ones first; who: of this person or list alone."""
    groups = _by_answer(ledger.read(snapshot.root, superseded=True))
    groups = [rows for rows in groups if not who or rows[-1].who == who]
    chosen = groups[max(0, offset) : max(0, offset) + min(max(1, limit), 500)]
    return HistoryPage(len(groups), max(0, offset), [_event(snapshot, rows) for rows in chosen])


def events_about(snapshot: Snapshot, findings: Collection[str]) -> list[Event]:
    """The decisions about some findings, the first one first; findings: finding_ids."""
    table = ledger.read(snapshot.root, superseded=True)
    about = pc.is_in(table["finding_id"], value_set=pa.array(sorted(findings), pa.string()))
    groups = _by_answer(table.filter(about))
    return [_event(snapshot, group) for group in reversed(groups)]


def _by_answer(table: pa.Table) -> list[list[LedgerRow]]:
    """The rows of each decision by people or a list, oldest first within one, the last decision first.

    table: columns as LEDGER; the machine's views in it are left out.
    """
    groups: dict[str, list[LedgerRow]] = defaultdict(list)
    for row in ledger.rows_of(table.filter(pc.not_equal(table["purpose"], "policy"))):
        groups[row.answer_id].append(row)
    return sorted(groups.values(), key=lambda g: (g[-1].at or NO_TIME, g[-1].answer_id), reverse=True)


def _event(snapshot: Snapshot, rows: list[LedgerRow]) -> Event:
    """A decision; rows: all with its answer_id, which may have been changed or withdrawn later."""
    last = {row.finding.finding_id: row for row in rows}
    given = [row for row in rows if row.purpose != WITHDRAWN] or rows
    said = list({row.finding.finding_id: row for row in given}.values())
    withdrawn = all(row.purpose == WITHDRAWN for row in last.values())
    at = max((row.at for row in given if row.at is not None), default=None)
    purpose = given[-1].purpose
    return Event(
        given[-1].answer_id,
        at.isoformat(timespec="seconds") if at else "",
        given[-1].who,
        purpose,
        _lines(said),
        _names(snapshot, said),
        list(dict.fromkeys(r.finding.subject_face for r in said if r.finding.subject_face))[:NAMED],
        withdrawn,
        not withdrawn and purpose in PEOPLES_PURPOSES,
    )


def _lines(rows: list[LedgerRow]) -> list[str]:
    counts = Counter((row.finding.kind, row.verdict) for row in rows)
    words = {key: f" ({n})" if n > 1 else "" for key, n in counts.items()}
    return [
        f"{VERDICTS.get(verdict, verdict)}: {FINDINGS.get(kind, kind)}{times}"
        for (kind, verdict), times in words.items()
    ]


def _names(snapshot: Snapshot, rows: list[LedgerRow]) -> list[str]:
    """The first names of the data that these rows are about."""
    photos = snapshot.photos
    names: dict[str, None] = {}
    for row in rows:
        for side in (row.finding.subject, row.finding.object):
            if side in photos.code_of_name:
                names[side] = None
        at = int(photos.rows_of([row.finding.subject])[0])
        if at >= 0 and photos.claimed[at] >= 0:
            names[photos.names[photos.claimed[at]]] = None
        if len(names) >= NAMED:
            break
    return list(names)[:NAMED]
