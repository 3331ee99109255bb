"""Answers stay when the faces that they are about are taken out."""

from pathlib import Path

from pipeline.erasure.ledger_references import files_with_faces, rows_about, write_without_faces
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import accuracies
from tests.builders.tables.ledger_rows import row


def test_the_verdicts_stay_and_the_faces_go(tmp_path: Path) -> None:
    root = str(tmp_path)
    ledger.append(root, [row("1", "yes", "ann", subject="gone", object="Bob"), row("2", "no", "ann", subject="stays")])
    ledger.append(root, [row("3", "yes", "bea", subject="gone", purpose="gold", expected="yes")])
    ledger.append(root, [row("4", "no", "bea", subject="stays")])
    before = ledger.rows_of(ledger.read(root))
    files = files_with_faces(root, {"gone"})
    assert len(files) == 2
    assert rows_about(root, files, {"gone"}) == 2
    write_without_faces(root, files, {"gone"})
    for name in files:
        (tmp_path / name).unlink()
    after = ledger.rows_of(ledger.read(root))
    assert [(r.who, r.verdict, r.at, r.answer_id) for r in after] == [
        (r.who, r.verdict, r.at, r.answer_id) for r in before
    ]
    assert [r.finding.subject for r in after] == ["erased", "stays", "erased", "stays"]
    assert accuracies(after) == accuracies(before)
    assert not files_with_faces(root, {"gone"})


def test_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    root = str(tmp_path)
    ledger.append(root, [row("1", "yes", "ann", subject="gone")])
    files = files_with_faces(root, {"gone"})
    write_without_faces(root, files, {"gone"})
    names = sorted(p.name for p in (tmp_path / "ledger").iterdir())
    assert len(names) == 2
    write_without_faces(root, files, {"gone"})
    assert sorted(p.name for p in (tmp_path / "ledger").iterdir()) == names
    (tmp_path / files[0]).unlink()
    write_without_faces(root, files, {"gone"})
    assert len(list((tmp_path / "ledger").iterdir())) == 1
