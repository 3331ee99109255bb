"""A short soak, and that its checks find what they are there for."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.refinement import latest
from pipeline.review.answers import ledger, question_log
from pipeline.review.answers.question_log import ASKED
from pipeline.review.label_studio import server
from pipeline.tables.build import build
from tests.builders.drawn_refinement import refined
from tests.builders.ledger_rows import row
from tests.chaos import root_checks
from tests.chaos.killed_command import SIGNS, command
from tests.chaos.run_soak import Faults, soak
from tests.chaos.simulated_annotators import Given

SCHEMA = pa.schema([("x", pa.int64())])


def squares(part: int) -> pa.Table:
    return pa.table({"x": [part * part]})


@pytest.mark.slow
def test_a_few_kills_of_a_refinement_lose_nothing(tmp_path: Path) -> None:
    found = soak(tmp_path, kills=6, review_kills=0, people=6, photos=40)
    assert found.kills["refine"].total() >= 6
    assert set(found.kills["refine"]) <= set(SIGNS)
    assert found.restarts >= 6
    assert found.refinements >= 1
    assert (found.unaccounted, found.doubled, found.different, found.other) == (0, 0, 0, 0)
    assert "0 photos unaccounted for" in "\n".join(found.lines())


@pytest.mark.slow
@pytest.mark.server
def test_a_few_kills_of_a_review_lose_nothing(tmp_path: Path) -> None:
    empty = server.environment() / f"empty-{server.VERSION}"
    if empty.exists():  # making a database takes half a minute
        shutil.copytree(empty, tmp_path / "reviewed/review/server")
    found = soak(tmp_path, kills=0, review_kills=5, people=6, photos=40)
    assert found.kills["review"].total() >= 5
    assert found.reviews >= 1
    assert found.answers
    assert (found.unaccounted, found.doubled, found.lost, found.different, found.other) == (0, 0, 0, 0, 0)


def test_a_damaged_root_is_seen(tmp_path: Path) -> None:
    made = build(str(tmp_path), "t", squares, [1, 2], schema=SCHEMA)
    whole = root_checks.digests(tmp_path)
    assert not [
        *root_checks.broken(tmp_path, whole),
        *root_checks.unlike(whole, whole),
        *root_checks.differ(whole, whole),
    ]
    first, second = (tmp_path / s.path for s in made.shards)
    first.write_bytes(first.read_bytes()[:-9])
    (tmp_path / "t/half.json").write_text("{")
    now = root_checks.digests(tmp_path)
    assert sorted(line.split()[-1] for line in root_checks.broken(tmp_path, now) if "names" in line) == ["other"]
    assert sum("no Parquet" in line or "no JSON" in line for line in root_checks.broken(tmp_path, now)) == 2
    assert sum("other bytes" in line for line in root_checks.unlike(now, whole)) == 1
    second.unlink()
    assert any(line.endswith("not there") for line in root_checks.broken(tmp_path, root_checks.digests(tmp_path)))
    assert len(root_checks.differ(root_checks.digests(tmp_path), whole)) == 3


def test_lost_and_invented_photos_are_seen(tmp_path: Path) -> None:
    refined(str(tmp_path))
    keys = latest(str(tmp_path)).labels.read(["key"])["key"].to_pylist()
    assert not root_checks.unaccounted(str(tmp_path), keys)
    assert len(root_checks.unaccounted(str(tmp_path), [*keys[1:], "another"])) == 2
    said = json.loads((tmp_path / "refinement.json").read_text())
    said["account"]["kept"] -= 1
    (tmp_path / "refinement.json").write_text(json.dumps(said))
    assert "does not add up" in root_checks.unaccounted(str(tmp_path), keys)[0]


def test_lost_doubled_and_invented_answers_are_seen(tmp_path: Path) -> None:
    root = str(tmp_path)
    refined(root)
    notes = [dict.fromkeys(ASKED.names, "") | {"item": i, "finding_id": i} for i in ("a", "b")]
    data = question_log.to_parquet(pa.Table.from_pylist(notes, schema=ASKED))
    (tmp_path / "asked").mkdir()
    (tmp_path / "asked/notes.parquet").write_bytes(data)
    ledger.append(root, [row("a", "yes", "w", answer_id="1"), row("b", "no", "w", answer_id="1")])
    assert not root_checks.lost(root, [Given("1", ("a", "b"))])
    assert len(root_checks.lost(root, [Given("1", ("a", "b")), Given("2", ("a",))])) == 1
    assert len(root_checks.lost(root, [Given("1", ("a",))])) == 1
    assert not root_checks.doubled(root)
    (file,) = (tmp_path / "ledger").glob("*.parquet")
    table = ledger.read(root).slice(0, 1)
    data = bytes(question_log.to_parquet(table))
    (file.parent / f"{root_checks.digest_of(data)}.parquet").write_bytes(data)
    assert len(root_checks.doubled(root)) == 1


def test_a_fault_ends_the_soak_with_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.chaos.run_soak.draw_world", lambda *_args, **_more: None)
    monkeypatch.setattr("tests.chaos.run_soak.undisturbed", lambda bench: bench.made.tell("lost", ["it"], "there"))
    with pytest.raises(Faults, match=r"1 answers lost or invented.*lost: there: it"):
        soak(tmp_path, kills=0, review_kills=0)


@pytest.mark.slow
def test_a_command_that_ends_by_itself_says_how(tmp_path: Path) -> None:
    ended = command(["labels", tmp_path / "none", tmp_path / "o.tsv"], root=tmp_path, log=tmp_path / "log")
    assert (ended.status, ended.struck, ended.orphans) == (2, False, False)
    assert "no finished refinement at" in ended.said
