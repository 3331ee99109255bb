"""Published lists applied to a drawn refinement: their verdicts change the labels, once, and people overrule them."""

import re
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from flows.refine.apply_list import apply_list
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refinement import Refinement, latest
from pipeline.review.answers import answer_time, ledger, lists
from pipeline.review.answers.list_files import Line, read_lists
from pipeline.review.answers.votes import settled_verdicts
from tests.builders.tables.drawn_refinement import refined

Truth = dict[str, tuple[str, int | None]]


@pytest.fixture
def root(tmp_path: Path) -> tuple[str, Refinement, Truth]:
    path = str(tmp_path / "root")
    return path, *refined(path)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("lists") / "root")
    refined(path)
    return path


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("# a comment\n" + "\n".join(lines) + "\n")
    return path


def fates(root: str) -> dict[str, tuple[str | None, str]]:
    rows = latest(root).labels.read(["key", "identity", "reason"]).to_pylist()
    return {r["key"]: (r["identity"], r["reason"]) for r in rows}


def test_a_clean_list_decides_on_listed_and_unlisted_photos(root: tuple[str, Refinement, Truth], tmp_path: Path):
    path, refinement, truth = root
    clean = sorted(k for k, (kind, _) in truth.items() if kind == "clean")
    left_out = next(k for k in clean if fates(path)[k] == (k[:3], ""))
    moved = next(k for k in clean if fates(path)[k] == (k[:3], "") and k[:3] != left_out[:3])
    target = next(
        r["identity"]
        for r in refinement.labels.read().to_pylist()
        if r["identity"] not in (None, moved[:3], left_out[:3]) and r["claimed"] == r["identity"]
    )
    right = written(tmp_path / "clean.txt", [f"{k[:3]} {k}" for k in clean if k not in (left_out, moved)])
    relabel = written(tmp_path / "relabel.txt", [f"{target}\t{moved.removesuffix('.jpg')}"])
    applied = apply_list(path, [right, relabel], says="right")
    assert (applied.known, applied.unknown) == (len(clean) - 1, 0)
    assert applied.new == applied.decisions
    now = fates(path)
    assert now[left_out] == (None, "outlier")
    assert now[moved] == (target, "misplaced")
    assert all(now[k][1] != "outlier" for k in clean if k not in (left_out, moved))
    outliers = [k for k, (kind, _) in truth.items() if kind == "outlier"]
    assert {now[k][0] for k in outliers} == {None}

    again = apply_list(path, [right, relabel], says="right")
    assert again.new == 0
    renamed = [Path(shutil.copy(file, tmp_path / f"renamed {file.name}")) for file in (right, relabel)]
    assert apply_list(path, renamed, says="right").new == 0
    assert apply_list(path, renamed, says="right", author="Ann").new == applied.decisions
    assert lists.recorded_lists(path) == ["Ann"]
    assert apply_list(path, [right, relabel], says="right", author="Ann").new == 0
    assert fates(path) == now


def test_people_overrule_a_list(root: tuple[str, Refinement, Truth], tmp_path: Path):
    path, _, _ = root
    key = next(k for k, (identity, reason) in fates(path).items() if identity == k[:3] and not reason)
    apply_list(path, [written(tmp_path / "wrong.txt", [key])], says="wrong", author="somebody's list")
    assert fates(path)[key] == (None, "outlier")
    listed = next(r for r in ledger.rows_of(ledger.read(path)) if r.who == "somebody's list")
    for annotator in ("ann", "bob"):
        ledger.append(path, [replace(listed, who=annotator, purpose="case", verdict="no", answer_id=f"1/{annotator}")])
    label_again(path, settled_verdicts)
    assert fates(path)[key] == (key[:3], "")


def test_the_last_list_counts_though_the_clock_went_back(
    root: tuple[str, Refinement, Truth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, _, _ = root
    key = next(k for k, (identity, reason) in fates(path).items() if identity == k[:3] and not reason)

    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=1)

    with monkeypatch.context() as clock:
        clock.setattr(answer_time, "datetime", Ahead)
        apply_list(path, [written(tmp_path / "wrong.txt", [key])], says="wrong")
    assert fates(path)[key] == (None, "outlier")
    every = [k for k in fates(path) if k[:3] == key[:3]]
    apply_list(path, [written(tmp_path / "right.txt", every)], says="right", yes=True)
    assert fates(path)[key] == (key[:3], "")


def test_pairs_and_identities(root: tuple[str, Refinement, Truth], tmp_path: Path):
    path, _, _ = root
    names = sorted({i for i, reason in fates(path).values() if i and not reason and "~" not in i})
    left, right, gone = names[5:8]  # the first persons have two names each, which the machine merges
    applied = apply_list(path, [written(tmp_path / "pairs.txt", [f"{right} {left}", "m.1 m.2"])], says="same")
    assert (applied.known, applied.unknown, applied.new) == (1, 1, 1)
    together = {i for k, (i, _) in fates(path).items() if k[:3] in (left, right) and i}
    assert len(together & {left, right}) == 1
    apply_list(path, [written(tmp_path / "gone.txt", [gone])], says="go")
    assert {fates(path)[k] for k in fates(path) if k.startswith(f"{gone}/") and fates(path)[k][1] == "overlap"}
    assert gone not in {i for i, _ in fates(path).values()}
    apply_list(path, [written(tmp_path / "stay.txt", names[:20])], says="stay", yes=True)
    kept = {i.split("~")[0] for i, reason in fates(path).values() if i and not reason}
    assert kept <= set(names[:20])
    assert len(kept) >= 10


def test_identities_given_by_number_and_photos_spelt_otherwise_are_read(tmp_path: Path):
    classes = tmp_path / "classes.txt"
    classes.write_text("m.0\nm.1\n")
    listed = written(tmp_path / "list.txt", ["1/52-FaceId-0", "0/3-FaceId-1_align.jpg 1"])
    assert read_lists([listed], says="right", classes=classes) == [
        Line("m.1/52-FaceId-0", None),
        Line("m.0/3-FaceId-1_align.jpg", "m.1"),
    ]


@pytest.mark.parametrize(
    ("text", "says", "message"),
    [
        ("m.1", "right", "line 2: expected a photo (MID/photo), perhaps an identity, found 'm.1'"),
        ("m.1", "same", "line 2: expected two identities"),
        ("a\tb", "go", "line 2: expected one identity, found 'a b'"),
        ("", "go", "lists nothing"),
        ("9/1-FaceId-0", "wrong", "a list that numbers identities needs --classes"),
        ("m.1/1-FaceId-0", "wrong", "give a list of this data set"),
        ("m.1", "perhaps", "--says perhaps: give one of right"),
    ],
)
def test_a_mistake_raises_an_error_in_one_line(untouched: str, tmp_path: Path, text: str, says: str, message: str):
    with pytest.raises(UserError, match=re.escape(message)):
        apply_list(untouched, [written(tmp_path / "list.txt", [text])], says=says)


@pytest.mark.parametrize(
    ("name", "says", "lines"),
    [
        ("ms_celeb_same_person", "same", 1274),
        ("ms_celeb_outliers", "wrong", 5325),
        ("ms_celeb_v1c_r_identities", "stay", 72778),
    ],
)
def test_the_published_lists_are_read(material: Path, name: str, says: str, lines: int):
    assert len(read_lists([material / f"noise_lists/{name}.txt"], says=says)) == lines
