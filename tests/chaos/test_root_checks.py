"""The checks of a soak report damaged files, and photos and answers that are lost, invented or doubled."""

import json
from pathlib import Path

import pyarrow as pa

from pipeline.refinement import latest
from pipeline.review.answers import ledger, question_log
from pipeline.review.answers.question_log import QUESTION_LOG
from pipeline.tables.build import build
from pipeline.tables.digests import content_digest
from tests.builders.label_studio.simulated_annotators import AnsweredPage
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.ledger_rows import row
from tests.builders.tables.squares_table import SCHEMA, squares
from tests.chaos import root_checks


def test_damaged_files_are_reported(tmp_path: Path) -> None:
    table = build(str(tmp_path), "t", squares, [1, 2], schema=SCHEMA, params={"times": 2})
    whole = root_checks.digests(tmp_path)
    assert len(whole) == 3
    assert not [
        *root_checks.damaged_files(tmp_path, whole),
        *root_checks.unexpected_files(whole, whole),
        *root_checks.differing_files(whole, whole),
    ]
    first, second = (tmp_path / s.path for s in table.shards)
    first.write_bytes(first.read_bytes()[:-9])
    (tmp_path / "t/half.json").write_text("{")
    now = root_checks.digests(tmp_path)
    assert sorted(line.split()[-1] for line in root_checks.damaged_files(tmp_path, now) if "lists" in line) == [
        "changed"
    ]
    damaged = list(root_checks.damaged_files(tmp_path, now))
    assert sum("is not Parquet" in line or "is not JSON" in line for line in damaged) == 2
    assert sum("other bytes" in line for line in root_checks.unexpected_files(now, whole)) == 1
    second.unlink()
    assert any(line.endswith("missing") for line in root_checks.damaged_files(tmp_path, root_checks.digests(tmp_path)))
    assert len(root_checks.differing_files(root_checks.digests(tmp_path), whole)) == 3


def test_lost_and_invented_photos_are_reported(tmp_path: Path) -> None:
    refined(str(tmp_path))
    keys = latest(str(tmp_path)).labels.read(["key"])["key"].to_pylist()
    assert not root_checks.unaccounted_photos(str(tmp_path), keys)
    assert len(root_checks.unaccounted_photos(str(tmp_path), [*keys[1:], "another"])) == 2
    content = json.loads((tmp_path / "refinement.json").read_text())
    content["account"]["kept"] -= 1
    del content["digest"]  # with it the file would not be read at all
    (tmp_path / "refinement.json").write_text(json.dumps(content))
    assert "does not add up" in root_checks.unaccounted_photos(str(tmp_path), keys)[0]


def test_lost_doubled_and_invented_answers_are_reported(tmp_path: Path) -> None:
    root = str(tmp_path)
    refined(root)
    items = [dict.fromkeys(QUESTION_LOG.names, "") | {"item": i, "finding_id": i} for i in ("a", "b")]
    data = question_log.to_parquet(pa.Table.from_pylist(items, schema=QUESTION_LOG))
    (tmp_path / "asked").mkdir()
    (tmp_path / f"asked/{content_digest(data)}.parquet").write_bytes(data)
    ledger.append(root, [row("a", "yes", "w", answer_id="1"), row("b", "no", "w", answer_id="1")])
    assert not root_checks.lost_answers(root, [AnsweredPage("1", ("a", "b"))])
    assert len(root_checks.lost_answers(root, [AnsweredPage("1", ("a", "b")), AnsweredPage("2", ("a",))])) == 1
    assert len(root_checks.lost_answers(root, [AnsweredPage("1", ("a",))])) == 1
    assert not root_checks.doubled_rows(root)
    (file,) = (tmp_path / "ledger").glob("*.parquet")
    first_row = ledger.read(root).slice(0, 1)
    data = bytes(question_log.to_parquet(first_row))
    (file.parent / f"{root_checks.digest_of(data)}.parquet").write_bytes(data)
    assert len(root_checks.doubled_rows(root)) == 1
