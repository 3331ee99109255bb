"""The index of a .rec equals what reading one record after the other gives, with and without an .idx."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import MAGIC, Header
from trainer.data import record_index
from trainer.data.record_index import read_index

PICTURE = b"a picture " * 9


def records() -> list[bytes]:
    """Records of every form: no picture, several labels, pictures cut into frames, a short one at the end."""
    ranges = [codec.pack(Header((3.0, 9.0), flag=2), b""), codec.pack(Header((0.0,)), b"")]
    plain = [codec.pack(Header((float(i % 7),), i), PICTURE[: 40 + i]) for i in range(40)]
    labels = [codec.pack(Header((5.0, 0.25, *range(20)), flag=22), PICTURE), codec.pack(Header((6.0,), flag=1), b"x")]
    cut = [codec.pack(Header((4.0,)), MAGIC * 2 + b"more"), codec.pack(Header((2.0, 8.0), flag=2), MAGIC + b"rest")]
    return [*ranges, *plain, *labels, *cut, *plain, codec.pack(Header((1.0,)), b"y")]


def write(folder: Path, contents: list[bytes]) -> tuple[Path, list[int]]:
    """A .rec of these records, and where each starts."""
    rec = folder / "train.rec"
    framed = [codec.frame(content) for content in contents]
    rec.write_bytes(b"".join(framed))
    return rec, np.cumsum([0, *map(len, framed)])[:-1].tolist()


def read_slowly(rec: Path) -> list[list[int]]:
    """Start, end and label of each record with a picture, by unpacking whole records."""
    rows, data = [], rec.read_bytes()
    with open(rec, "rb") as file:
        for start, end in codec.scan(file.fileno(), len(data)):
            header, picture = codec.unpack(codec.join(data[start:end]))
            if picture:
                rows.append([start, end, int(header.labels[0])])
    return rows


@pytest.mark.parametrize("listed", ["in order", "mixed", "not"])
def test_the_index_is_that_of_reading_every_record(
    tmp_path: Path, listed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_index, "AT_ONCE", 16)
    monkeypatch.setattr(record_index, "LISTED_AT_ONCE", 50)
    rec, starts = write(tmp_path, records())
    if listed != "not":
        order = np.random.default_rng(0).permutation(len(starts)) if listed == "mixed" else range(len(starts))
        rec.with_suffix(".idx").write_text("".join(f"{i}\t{starts[i]}\n" for i in order))
    columns = read_index(rec)
    assert [c.dtype for c in columns] == [np.int64] * 3
    assert np.stack(columns, 1).tolist() == read_slowly(rec)
    assert len(columns.labels) == len(starts) - 2


def test_the_first_damaged_record_is_named(tmp_path: Path) -> None:
    rec, starts = write(tmp_path, records())
    whole = rec.read_bytes()
    half = codec.frame(codec.pack(Header((0.5,)), PICTURE))
    cases = {
        "no record begins at byte": whole[: starts[20]] + b"\0" * 8 + whole[starts[20] + 8 :],
        "the file at": whole[:-8],
        "within the head": whole + MAGIC,
        "the label 0.5, which is not a whole number": whole[: starts[9]] + half + whole[starts[9] :],
        "labels its header announces": whole[: starts[5] + 8] + b"\xff" + whole[starts[5] + 9 :],
    }
    for message, data in cases.items():
        rec.write_bytes(data)
        with pytest.raises(UserError, match=f"train.rec is damaged or cut off: .*{message}"):
            read_index(rec)


@pytest.mark.parametrize(
    "text", ["0\t", "1\n2\n", "0\tx\n", "0\t-8\n", "0\t0\t8\n", f"0\t{1 << 62}\n", f"0\t{1 << 80}\n"]
)
def test_a_list_of_other_things_is_refused(tmp_path: Path, text: str) -> None:
    rec, _ = write(tmp_path, records())
    rec.with_suffix(".idx").write_text(text)
    with pytest.raises(UserError, match=r"train.idx does not list where the records of the .rec start: remove it"):
        read_index(rec)


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    rec, _ = write(tmp_path, [])
    assert [len(column) for column in read_index(rec)] == [0, 0, 0]
