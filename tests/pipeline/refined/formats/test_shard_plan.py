"""Shards of an export: as few as keep to the size, with equal numbers of photos, cut across the table's own shards."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.refined.formats import shard_plan
from pipeline.refined.formats.shard_plan import ShardSize, face_file, pieces, shard_rows
from pipeline.tables.table import Table, column_bytes
from tests.builders.tables.label_shards import refined_of


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Ten pictures of a thousand bytes each, in three shards."""
    refined, _ = refined_of(str(tmp_path), {"a": [bytes([i]) * 1000 for i in range(10)]}, shards=3)
    return refined


def test_shards_keep_to_a_number_of_photos_and_differ_by_one_at_most(table: Table) -> None:
    assert shard_rows(table, ShardSize(4, "photos")) == [3, 3, 4]
    assert shard_rows(table, ShardSize(10, "photos")) == [10]
    assert shard_rows(table, ShardSize(1, "photos")) == [1] * 10


def test_shards_keep_to_bytes(tmp_path: Path) -> None:
    table, _ = refined_of(str(tmp_path), {"a": [bytes([i]) * 1000 for i in range(200)]})
    assert 200_000 <= column_bytes(table, "jpeg") < 205_000, "the column's statistics hold two pictures"
    assert shard_rows(table, ShardSize(103_000, "bytes")) == [100, 100]
    assert shard_rows(table, ShardSize(103_000, "bytes"), bytes_beside=1000) == [50] * 4
    assert shard_rows(table, ShardSize(1, "bytes")) == [1] * 200


def test_more_shards_than_names_have_digits_are_refused(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_plan, "MAX_SHARDS", 9)
    with pytest.raises(UserError, match="10 photos would become 10 files: give a --shard-size that makes 9 at most"):
        shard_rows(table, ShardSize(1, "photos"))


def test_pieces_are_all_rows_in_order(table: Table) -> None:
    ticks: list[int] = []
    cut = [(number, rows["key"].to_pylist()) for number, rows in pieces(table, ["key"], [4, 5, 1], ticks.append)]
    assert [key for _, keys in cut for key in keys] == table.read(["key"])["key"].to_pylist()
    assert [sum(len(keys) for n, keys in cut if n == number) for number in range(3)] == [4, 5, 1]
    assert ticks == [3, 3, 4], "no more than one shard of the table is read at a time"


def test_the_suffix_of_a_face_is_that_of_its_bytes() -> None:
    heads = {b"\xff\xd8\xff\xe0": "f.jpg", b"\x89PNG": "f.png", b"RIFF": "f.webp"}
    assert {head: face_file("f", head) for head in heads} == heads
