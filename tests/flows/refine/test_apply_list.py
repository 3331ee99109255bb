"""Lists that hardly fit the data are refused unless confirmed, and a list can be taken back or say something else."""

import re
import shutil
from datetime import datetime, tzinfo
from pathlib import Path

import pytest

from pipeline.refinement import latest
from pipeline.review.answers import ledger
from tests.builders.processes.command_line import Command, error_line
from tests.builders.tables.drawn_refinement import refined

Fates = dict[str, tuple[str | None, str]]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("lists") / "root")
    refined(path)
    return path


@pytest.fixture
def root(untouched: str, tmp_path: Path) -> str:
    return str(shutil.copytree(untouched, tmp_path / "root"))


def fates(root: str) -> Fates:
    rows = latest(root).labels.read(["key", "identity", "reason"]).to_pylist()
    return {r["key"]: (r["identity"], r["reason"]) for r in rows}


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def kept(labels: Fates) -> list[str]:
    return sorted(key for key, (identity, reason) in labels.items() if identity == key[:3] and not reason)


def test_a_list_that_hardly_fits_is_refused_unless_confirmed(refinery: Command, root: str, tmp_path: Path) -> None:
    before = fates(root)
    clean = kept(before)
    some = clean[: len(clean) // 2]
    known, unknown = clean[:5], [f"m.999/{i}.jpg" for i in range(6)]
    number_of = {identity: str(1000 + i % 7) for i, identity in enumerate(sorted({k[:3] for k in clean}))}
    for lines, says, words in (
        (known + unknown, "wrong", "6 of the 11 that it names are not in .*, such as 'm.999/0.jpg', .*, 'm.999/2.jpg'"),
        (some, "right", r"it would remove \d+ of 741 photos"),
        ([f"{key} {number_of[key[:3]]}" for key in clean], "right", r"class numbers .*'1000', '1001', '1002'"),
        (clean[:1] + unknown, "right", "6 of the 7 .* it would remove"),
        (unknown, "right", "no photo or identity .* give a list of this data set"),
        (["375/37531198@N00/4174611825_0.jpg"], "wrong", "distractors claim no identity; `refinery megaface"),
    ):
        file = written(tmp_path / "list.txt", lines)
        line = error_line(refinery("apply-list", root, file, "--says", says))
        assert re.search(words, line)
        assert fates(root) == before
        assert len(ledger.read(root)) == 0
    status, out, _ = refinery("apply-list", root, written(tmp_path / "l.txt", some), "--says", "right", "--yes")
    assert status == 0
    assert f"{len(some)} photos or identities of the list are in the data, 0 are not" in out
    assert set(kept(fates(root))) <= set(some)


def test_class_numbers_are_passed_over_when_confirmed(refinery: Command, root: str, tmp_path: Path) -> None:
    before = fates(root)
    list_file = written(tmp_path / "list.txt", [f"{key} 77" for key in before if before[key][0]])
    assert refinery("apply-list", root, list_file, "--says", "right", "--yes")[0] == 0
    assert set(kept(before)) <= set(kept(fates(root)))


def test_class_numbers_that_stand_for_one_identity_each_say_nothing_else(
    refinery: Command, root: str, tmp_path: Path
) -> None:
    clean = kept(fates(root))
    number_of = {identity: i for i, identity in enumerate(sorted({key[:3] for key in clean}))}
    list_file = written(tmp_path / "list.txt", [f"{key} {number_of[key[:3]]}" for key in clean])
    assert refinery("apply-list", root, list_file, "--says", "right")[0] == 0
    assert set(clean) <= set(kept(fates(root)))
    assert all(f"{number}" not in {identity for identity, _ in fates(root).values()} for number in number_of.values())


def test_the_same_list_may_say_something_else_and_be_taken_back(refinery: Command, root: str, tmp_path: Path) -> None:
    before = fates(root)
    key, *others = kept(before)
    wrong = written(tmp_path / "list.txt", [key, *others[:3], "m.999/1.jpg"])
    status, out, _ = refinery("apply-list", root, wrong, "--says", "wrong")
    assert status == 0
    assert "1 are not, such as 'm.999/1.jpg'" in out
    assert fates(root)[key] == (None, "outlier")
    assert refinery("apply-list", root, wrong, "--says", "right", "--yes")[0] == 0
    assert fates(root)[key] == (key[:3], "")
    assert fates(root)[others[5]] == (None, "outlier"), "the list names it not"
    rows = len(ledger.read(root, superseded=True))
    assert "0 of them new" in refinery("apply-list", root, wrong, "--says", "right", "--yes")[1]
    assert len(ledger.read(root, superseded=True)) == rows
    assert refinery("apply-list", root, wrong, "--says", "wrong")[0] == 0
    assert fates(root)[others[5]] == before[others[5]], "what only the other meaning said is taken back"
    status, out, _ = refinery("apply-list", root, wrong, "--withdraw")
    assert status == 0
    assert "4 decisions of the list are taken back" in out
    assert fates(root) == before
    assert len(ledger.read(root, superseded=True)) > rows, "the ledger only grows"
    assert "no decision of" in error_line(refinery("apply-list", root, wrong, "--withdraw"))
    assert refinery("apply-list", root, wrong, "--says", "wrong")[0] == 0
    assert fates(root)[key] == (None, "outlier"), "a list that was taken back can be applied again"
    other = written(tmp_path / "other.txt", [key])
    line = error_line(refinery("apply-list", root, other, "--withdraw"))
    assert "in force: list list.txt" in line
    assert "leave out --says" in error_line(refinery("apply-list", root, other, "--withdraw", "--says", "wrong"))


def test_a_list_that_is_applied_again_after_the_clock_was_put_back_counts(
    refinery: Command, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "list.txt", kept(fates(root))[:4])

    class PutBack(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2001, 1, 1, tzinfo=tz)

    assert refinery("apply-list", root, file, "--says", "wrong")[0] == 0
    said = fates(root)
    monkeypatch.setattr("pipeline.review.answers.answer_time.datetime", PutBack)
    assert refinery("apply-list", root, file, "--withdraw")[0] == 0
    assert fates(root) != said
    assert refinery("apply-list", root, file, "--says", "wrong")[0] == 0
    assert fates(root) == said
