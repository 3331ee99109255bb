"""The ledger keeps every answer, and keeps it once."""

import os
import shutil
import subprocess
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.review.answers.ledger import append, read, rows_of, set_votes_wanted, votes_wanted, withdraw
from pipeline.unreferenced import REMOVABLE_FILES
from tests.builders.tables.ledger_rows import row


def files(root):
    return sorted(p for p in (root / "ledger").glob("*.parquet"))


def test_the_same_answers_again_add_nothing(tmp_path):
    answers = [row("a", "yes", "w"), row("b", "no", "w", at=1)]
    assert append(str(tmp_path), answers) == 2
    before = [p.read_bytes() for p in files(tmp_path)]
    assert append(str(tmp_path), reversed(answers)) == 0
    assert [p.read_bytes() for p in files(tmp_path)] == before
    assert append(str(tmp_path), [*answers, row("c", "yes", "v", at=2)]) == 1
    assert read(str(tmp_path))["finding_id"].to_pylist() == ["a", "b", "c"]
    assert len(files(tmp_path)) == 2


def test_no_answers_write_no_file(tmp_path):
    assert append(str(tmp_path), []) == 0
    assert len(read(str(tmp_path))) == 0
    assert not (tmp_path / "ledger").exists()


def test_a_changed_answer_replaces_the_earlier_one_and_both_are_stored(tmp_path):
    append(str(tmp_path), [row("a", "yes", "w", answer_id="1")])
    append(str(tmp_path), [row("a", "no", "w", at=9, answer_id="1")])
    assert read(str(tmp_path))["verdict"].to_pylist() == ["no"]
    assert read(str(tmp_path), superseded=True)["verdict"].to_pylist() == ["yes", "no"]


def test_the_order_in_which_answers_come_does_not_matter(tmp_path):
    first, second = row("a", "yes", "w"), row("b", "no", "v", at=5)
    for folder, batches in (("x", [[first], [second]]), ("y", [[second], [first]]), ("z", [[first, second]])):
        for batch in batches:
            append(str(tmp_path / folder), batch)
    ledgers = [read(str(tmp_path / folder)) for folder in "xyz"]
    assert ledgers[0].equals(ledgers[1])
    assert ledgers[0].equals(ledgers[2])


def test_a_damaged_file_raises_an_error(tmp_path):
    append(str(tmp_path), [row("a", "yes", "w")])
    table = pq.read_table(files(tmp_path)[0])
    pq.write_table(table.set_column(1, "verdict", [["no"]]), files(tmp_path)[0])
    with pytest.raises(UserError, match="damaged: put it back"):
        read(str(tmp_path))


def test_cleaning_a_root_never_lists_the_ledger(tmp_path):
    append(str(tmp_path), [row("a", "yes", "w")])
    set_votes_wanted(str(tmp_path), 3)
    assert votes_wanted(str(tmp_path)) == 3
    names = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()]
    assert len(names) == 2
    assert not [n for n in names if REMOVABLE_FILES.fullmatch(n)]


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk takes root")
def test_answers_that_did_not_fit_on_the_disk_are_stored_once_later(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False).returncode:
        pytest.skip("no permission to mount")
    try:
        answers = [row(f"finding {i}", "yes", "w", at=i, answer_id=f"answer {i}") for i in range(3)]
        append(str(disk), answers[:1])
        (disk / "others").write_bytes(bytes(48 << 10))
        with pytest.raises(UserError, match="no room left on the disk"):
            append(str(disk), [row(f"{i:0200}", "yes", f"{i * 7:0200}", answer_id=f"{i * 3:0200}") for i in range(900)])
        assert len(read(str(disk), superseded=True)) == 1
        (disk / "others").unlink()
        assert append(str(disk), answers) == 2
        assert len(read(str(disk), superseded=True)) == 3
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("purpose", ["case", "list", "truth"])
def test_a_withdrawn_answer_stays_in_the_ledger_and_does_not_count(tmp_path, purpose):
    root, kept = str(tmp_path), row("b", "no", "w")
    taken_back = row("a", "yes", "v", purpose=purpose)
    if purpose == "truth":
        taken_back = replace(taken_back, at=None)
    append(root, [taken_back, kept])
    assert withdraw(root, [taken_back]) == 1
    assert [r.who for r in rows_of(read(root))] == ["w"]
    assert len(read(root, superseded=True)) == 3
    assert append(root, [taken_back]) == 0, "the same answer is collected once more"
    assert [r.who for r in rows_of(read(root))] == ["w"]
    assert withdraw(root, [taken_back]) == 0


def test_an_answer_that_is_changed_after_it_was_withdrawn_counts(tmp_path):
    root = str(tmp_path)
    append(root, [row("a", "yes", "v")])
    withdraw(root, rows_of(read(root)))
    append(root, [row("a", "no", "v", at=5)])
    assert [r.verdict for r in rows_of(read(root))] == ["no"]
