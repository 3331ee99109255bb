"""Bytes that have changed since they were written are never read as data: they are told, set aside and made again."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.tables import digests
from pipeline.tables.build import build
from pipeline.tables.digests import DamagedFile, content_digest
from pipeline.tables.shard_job import ShardError
from pipeline.tables.table import Table, load
from tests.builders.file_trees import file_bytes
from tests.builders.flipped_bits import flip_bit
from tests.builders.tables.squares_table import SCHEMA, squares

PARTS = [1, 2, 3, 4]


def make(root: Path, parts: list[int] = PARTS) -> Table:
    return build(str(root), "t", squares, parts, schema=SCHEMA, params={"times": 2})


def shard_file(table: Table, number: int) -> Path:
    return Path(table.root) / table.shards[number].path


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_bit_is_told_and_the_shard_is_made_again(tmp_path: Path, seed: int) -> None:
    before = file_bytes(Path(make(tmp_path / "root").root))
    table = make(shutil.copytree(tmp_path / "root", tmp_path / f"copy-{seed}"))
    flip_bit(shard_file(table, seed % 4), seed)
    with pytest.raises(DamagedFile, match=r"is damaged .* run `refinery refine` with the options of before"):
        table.read()
    make(Path(table.root))
    assert table.read().num_rows == len(table)
    damaged = f"{table.shards[seed % 4].path}{digests.DAMAGED}"
    assert {n: b for n, b in file_bytes(Path(table.root)).items() if n != damaged} == before


def test_a_shard_that_is_gone_is_made_again(tmp_path: Path) -> None:
    table = make(tmp_path)
    before = file_bytes(tmp_path)
    shard_file(table, 2).unlink()
    with pytest.raises(DamagedFile, match="is missing"):
        table.read()
    assert make(tmp_path) == table
    assert file_bytes(tmp_path) == before


@pytest.mark.parametrize("change", ["cut", "one shard less", "other shards", "no object", "not JSON", "rows"])
def test_a_manifest_that_is_not_the_tables_is_made_again(tmp_path: Path, change: str) -> None:
    table = make(tmp_path)
    file = tmp_path / "t" / f"{table.address}.json"
    before, manifest = file.read_bytes(), json.loads(file.read_bytes())
    less = manifest["shards"][1:]
    changed = {
        "cut": before[: len(before) // 2],
        "one shard less": json.dumps(manifest | {"shards": less, "rows": sum(s["rows"] for s in less)}).encode(),
        "other shards": json.dumps(manifest | {"shards": manifest["shards"][::-1]}).encode(),
        "no object": b"[1]",
        "not JSON": b"\xff\xfe",
        "rows": json.dumps(manifest | {"rows": 7}).encode(),
    }[change]
    file.write_bytes(changed)
    assert len(make(tmp_path)) == len(table)
    assert file.read_bytes() == before


def test_a_manifest_of_other_bytes_than_its_digest_is_told(tmp_path: Path) -> None:
    table = make(tmp_path)
    assert load(str(tmp_path), "t", table.address, digest=table.digest) == table
    with pytest.raises(DamagedFile, match="is not the manifest that was written"):
        load(str(tmp_path), "t", table.address, digest=content_digest(b""))


def fails_at_three(part: int, *, times: int, flawed: bool = True) -> object:
    """The squares, but the third shard cannot be made."""
    if part == 3:
        raise ValueError("stopped here")
    return squares(part, times=times)


def test_a_flipped_shard_of_a_stopped_run_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = make(tmp_path / "whole")
    with pytest.raises(ShardError):
        build(str(tmp_path / "root"), "t", fails_at_three, PARTS, schema=SCHEMA, params={"times": 2})
    left = sorted((tmp_path / "root/t").rglob("*.parquet"))
    assert left
    assert {file.name for file in left} == {f.name[1:].partition(".digest.")[0] for f in left[0].parent.glob(".*.tmp")}
    flip_bit(left[0], seed=0)
    with caplog.at_level("WARNING", logger="refinery"):
        again = make(tmp_path / "root")
    assert f"{left[0].name} is damaged and is made again" in caplog.text
    assert again.read().equals(whole.read())
    assert file_bytes(tmp_path / "root") == file_bytes(tmp_path / "whole"), "nothing of the stopped run is left"


@pytest.mark.parametrize(("function", "wrong"), [("storage.get", b"corrupted"), ("digest_of_file", "another")])
def test_what_the_network_corrupts_once_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, wrong: object
) -> None:
    mounted = function == "digest_of_file"  # an object store gives a file in one piece
    root = str(tmp_path) if mounted else f"memory://{tmp_path}"
    table = build(root, "t", squares, PARTS, schema=SCHEMA, params={"times": 2})
    right, answers = digests.digest_of_file if mounted else digests.storage.get, [wrong]
    monkeypatch.setattr(
        f"pipeline.tables.digests.{function}", lambda *words: answers.pop() if answers else right(*words)
    )
    assert table.read().num_rows == len(table)
    assert not answers


def test_files_that_are_named_by_their_digest_are_checked(tmp_path: Path) -> None:
    (tmp_path / "asked").mkdir()
    for data in (b"one", b"two"):
        (tmp_path / f"asked/{content_digest(data)}.parquet").write_bytes(data)
    assert sorted(digests.named_by_digest(str(tmp_path), "asked", what="questions")) == [b"one", b"two"]
    flip_bit(tmp_path / f"asked/{content_digest(b'one')}.parquet", seed=3)
    with pytest.raises(UserError, match=r"is damaged: put it back from a backup; it holds questions"):
        list(digests.named_by_digest(str(tmp_path), "asked", what="questions"))
