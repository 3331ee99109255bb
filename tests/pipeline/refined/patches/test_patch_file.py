"""A patch is read as it was written; a file that is no patch, is damaged or is of another version is one clear line."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.refined.patches.patch_file import DISPUTED, KEY, PATCH, VERSION, PatchHeader, is_patch, read_patch
from tests.builders.flipped_bits import flip_bit
from tests.builders.tables.patch_rows import patch_file, patch_table, photo

NAMES = ["../../etc/passwd", "=1+1", "a\tb\nc\x1b[31m", "<script>", "ä/" + "x" * 300, "\u202e", ""]
ROWS = [
    *(photo(f"{name}/1.jpg", name, sha=i, hash=i) for i, name in enumerate(NAMES)),
    photo("removed.jpg", "a", None, "outlier", sha=90, hash=(1 << 64) - 1),
    photo("moved.jpg", "a", "b", "misplaced", sha=91),
    photo("disputed.jpg", "a", None, DISPUTED),
    photo("unnamed.jpg", None, None, "unnamed"),
]
HEADER = {"version": VERSION, "photos": 1, "hash": "phash-64", "sources": []}


def write_raw(file: Path, table: pa.Table, header: object) -> None:
    """A Parquet file with anything as the header of a patch."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    pq.write_table(table.replace_schema_metadata({KEY: raw}), file)


def refused(file: Path) -> str:
    """The one line with which a file is refused; reading all rows is part of reading it."""
    with pytest.raises(UserError) as error:
        list(read_patch(file).batches())
    line = str(error.value)
    assert str(file) in line
    assert "\n" not in line
    assert len(line) < 600
    return line


def test_rows_and_header_come_back_and_the_bytes_are_the_same_again(tmp_path: Path) -> None:
    patch = patch_file(tmp_path / "a.patch", *ROWS)
    assert pa.concat_tables(patch.batches()).to_pylist() == ROWS
    assert patch.header == PatchHeader(photos=len(ROWS), hash="phash-64")
    patch_file(tmp_path / "again.patch", *ROWS)
    assert (tmp_path / "again.patch").read_bytes() == (tmp_path / "a.patch").read_bytes()


def test_a_file_is_a_patch_by_its_header_alone(tmp_path: Path) -> None:
    patch_file(tmp_path / "a.patch", *ROWS)
    write_raw(tmp_path / "later.patch", patch_table(*ROWS), HEADER | {"version": VERSION + 1})
    pq.write_table(pa.table({"word": [KEY]}), tmp_path / "word.parquet", compression="none", write_statistics=False)
    (tmp_path / "text").write_bytes(b"PAR1 " + KEY)
    assert KEY in (tmp_path / "word.parquet").read_bytes()
    assert {f.name for f in tmp_path.iterdir() if is_patch(f)} == {"a.patch", "later.patch"}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER | {"version": 2}, "version 2 of patches, this program reads 1"),
        (HEADER | {"photos": 2}, "holds 1 photos, its header says 2"),
        (HEADER | {"photos": -1}, "counts must be whole numbers"),
        (HEADER | {"photos": 0}, "names no photo"),
        (HEADER | {"photos": True}, "counts must be whole numbers"),
        (HEADER | {"hash": "other"}, "'other' are not phash-64"),
        (HEADER | {"hash": None}, "names must be text"),
        (HEADER | {"dim": 1 << 40, "model": "m"}, "counts must be"),
        (HEADER | {"dim": 4, "model": "m"}, "expected the columns .* x "),
        (HEADER | {"more": 1}, "header cannot be read"),
        (HEADER | {"sources": [1]}, "header cannot be read"),
        ([], "header cannot be read"),
        (b"{" * 100_000, "header cannot be read"),
        (b"", "is a Parquet file, but no patch"),
        (b" " * (1 << 21), "is a Parquet file, but no patch"),
    ],
)
def test_a_wrong_header_is_one_line(tmp_path: Path, header: object, words: str) -> None:
    write_raw(tmp_path / "a.patch", patch_table(ROWS[0]), header)
    with pytest.raises(UserError, match=words):
        list(read_patch(tmp_path / "a.patch").batches())
    refused(tmp_path / "a.patch")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_columns(["key"]), "expected the columns source .string., key"),
        (lambda t: t.set_column(6, "hash", t["hash"].cast(pa.int64())), "found source"),
        (lambda t: t.set_column(1, "key", pa.nulls(1, pa.string())), "a photo has no key"),
        (lambda t: t.set_column(4, "reason", pa.array(["new reason"])), "'new reason', which this program does not"),
        (lambda t: t.set_column(3, "after", pa.nulls(1, pa.string())), "neither an identity nor a reason"),
        (lambda t: t.set_column(1, "key", pa.array([b"\xff\xfe"]).view(pa.string())), "damaged"),
    ],
)
def test_wrong_columns_and_rows_are_one_line(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], words: str
) -> None:
    write_raw(tmp_path / "a.patch", change(patch_table(ROWS[0]).select(PATCH.names)), HEADER)
    with pytest.raises(UserError, match=words):
        list(read_patch(tmp_path / "a.patch").batches())
    refused(tmp_path / "a.patch")


def test_other_files_and_files_cut_short_are_one_line(tmp_path: Path) -> None:
    whole = patch_file(tmp_path / "a.patch", *ROWS).file.read_bytes()
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("key\tbefore\n")
    for length in range(1, len(whole), 97):
        (tmp_path / "cut").write_bytes(whole[:length])
        assert "cut short, damaged or no patch" in refused(tmp_path / "cut")
    for name in ("empty", "text"):
        assert "cut short, damaged or no patch" in refused(tmp_path / name)
    assert "is not there" in refused(tmp_path / "missing")
    assert refused(tmp_path)


def test_a_flipped_bit_is_one_line_or_changes_no_row(tmp_path: Path) -> None:
    file = tmp_path / "a.patch"
    patch_file(file, *ROWS)
    whole, changed = file.read_bytes(), 0
    for seed in range(60):
        file.write_bytes(whole)
        flip_bit(file, seed)
        try:
            rows = pa.concat_tables(read_patch(file).batches()).to_pylist()
        except UserError:
            refused(file)
            changed += 1
        else:
            assert rows == ROWS
    assert changed > 20
