"""The decisions in a ledger as pages show them."""

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.browse.decisions.record import record, undo
from pipeline.browse.decisions.statements import Decision
from pipeline.browse.pages.history import events_about, history
from pipeline.browse.snapshot import load_snapshot
from pipeline.review.answers import ledger
from pipeline.review.answers.ledger import LedgerRow
from tests.builders.tables.drawn_refinement import refined


def test_a_page_about_some_findings_reads_their_answers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = load_snapshot(refined(str(tmp_path))[0])
    kept = [row for row in range(len(snapshot.photos)) if not snapshot.reason(row) and snapshot.photos.claimed[row] > 0]
    faces = [snapshot.photos.face_id(row) for row in kept[:4]]
    given = [record(snapshot, Decision("remove", (face,)), who="ann").answer_id for face in faces]
    undo(snapshot, given[1])
    findings = {
        r.finding.finding_id
        for r in ledger.rows_of(ledger.read(snapshot.root, superseded=True))
        if r.answer_id in given[:2]
    }
    made: list[LedgerRow] = []
    rows_of = ledger.rows_of

    def counted(table: pa.Table) -> list[LedgerRow]:
        rows = rows_of(table)
        made.extend(rows)
        return rows

    monkeypatch.setattr(ledger, "rows_of", counted)
    events = events_about(snapshot, findings)
    assert [(e.answer_id, e.withdrawn) for e in events] == [(given[0], False), (given[1], True)]
    assert len(made) == 3  # two answers and a withdrawal
    assert [e.answer_id for e in history(snapshot).events] == given[::-1]
    assert not events_about(snapshot, set())
