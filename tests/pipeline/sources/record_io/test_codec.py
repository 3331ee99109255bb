import os
import struct
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.record_io import codec
from pipeline.sources.record_io.codec import MAGIC, DamagedRecord, Header


def test_a_frame_by_hand():
    assert codec.frame(b"12345") == bytes.fromhex("0a23d7ce 05000000 3132333435 000000")
    assert codec.frame(b"") == bytes.fromhex("0a23d7ce 00000000")


def test_a_magic_at_a_multiple_of_four_is_cut_out_by_hand():
    framed = codec.frame(b"abcd" + MAGIC + b"efgh" + MAGIC + b"ij")
    head = "0a23d7ce"
    assert framed == bytes.fromhex(f"{head} 04000020 61626364 {head} 04000040 65666768 {head} 02000060 696a0000")
    assert MAGIC not in codec.frame(b"x" + MAGIC)[:8][4:]
    assert codec.frame(MAGIC) == bytes.fromhex(f"{head} 00000020 {head} 00000060")


@given(st.lists(st.sampled_from([MAGIC, b"a", b"bcd", b"\0\0\0\0", MAGIC[:2]]), max_size=12).map(b"".join))
def test_join_undoes_frame(record):
    framed = codec.frame(record)
    assert len(framed) % 4 == 0
    assert codec.join(framed) == record


@given(st.lists(st.binary(max_size=30) | st.just(b"abcd" + MAGIC + b"x"), max_size=8))
def test_scan_gives_every_record_of_a_file(records):
    with tempfile.TemporaryFile() as stream:
        stream.write(b"".join(codec.frame(r) for r in records))
        stream.flush()
        size = stream.tell()
        spans = list(codec.scan(stream.fileno(), size))
        assert [codec.join(os.pread(stream.fileno(), b - a, a)) for a, b in spans] == records


@pytest.mark.parametrize(
    "header",
    [
        Header((3.0,), 7),
        Header((1.0, 2.5, -3.0), 9, 1, 3),
        Header((5.0,), 2**64 - 1, 0, 1),
        Header((0.0,), 0xCED7230A),
        Header((1.0,) * 9, 0xCED7230ACED7230A, 4, 9),
    ],
)
@pytest.mark.parametrize("payload", [b"", b"jpeg", MAGIC, b"\xff\xd8" + MAGIC * 2])
def test_headers(header, payload, tmp_path):
    record = codec.pack(header, payload)
    assert codec.unpack(record) == (header, payload)
    path = tmp_path / "a.rec"
    path.write_bytes(b"" + codec.frame(b"before") + codec.frame(record))
    with open(path, "rb") as stream:
        head = codec.read_head(stream.fileno(), 16, path.stat().st_size)
    assert head == (header, bool(payload), path.stat().st_size)


def test_a_header_by_hand():
    assert codec.pack(Header((2.0,), 3), b"x") == struct.pack("<IfQQ", 0, 2.0, 3, 0) + b"x"
    assert codec.pack(Header((1.0, 5.0), 58, 0, 2), b"") == struct.pack("<IfQQff", 2, 0, 58, 0, 1, 5)
    with pytest.raises(ValueError, match="expected 3"):
        codec.pack(Header((1.0,), flag=3), b"")


@pytest.mark.parametrize(
    ("damaged", "words"),
    [
        (b"abcdefgh", "no record begins at byte 0"),
        (codec.frame(b"12345")[:-1], "ends at byte 16, the file at 15"),
        (codec.frame(b"12345")[:6], "within the head"),
        (codec.frame(b"abcd" + MAGIC)[:12], "within the head of the record at byte 12"),
        (codec.frame(b"abcd" + MAGIC)[12:], "the flag 3"),
        (codec.frame(b"abcd" + MAGIC)[:12] + codec.frame(b""), "the flag 0"),
    ],
)
def test_the_error_names_the_damaged_byte(damaged, words, tmp_path):
    path = tmp_path / "a.rec"
    path.write_bytes(damaged)
    with open(path, "rb") as stream, pytest.raises(DamagedRecord, match=words):
        list(codec.scan(stream.fileno(), len(damaged)))


def test_records_too_short_for_their_header():
    with pytest.raises(DamagedRecord, match="has no image header"):
        codec.unpack(b"short")
    with pytest.raises(DamagedRecord, match="cannot hold the 5 labels"):
        codec.unpack(struct.pack("<IfQQ", 5, 0, 0, 0))


@pytest.mark.material
def test_magics_inside(material):
    folder = material / "record_io" / "magic_inside"
    payloads = [bytes.fromhex(line) for line in (folder / "payloads.hex").read_text().split()]
    data = (folder / "magic.rec").read_bytes()
    with open(folder / "magic.rec", "rb") as stream:
        spans = list(codec.scan(stream.fileno(), len(data)))
    assert [codec.join(data[a:b]) for a, b in spans] == payloads
    assert b"".join(codec.frame(p) for p in payloads) == data


@pytest.mark.material
@pytest.mark.parametrize("name", ["identity_ranges", "plain", "multi_label"])
def test_real_files_are_equal_after_join_and_frame(material, name):
    path = material / "record_io" / name / "train.rec"
    data = path.read_bytes()
    with open(path, "rb") as stream:
        records = [codec.join(data[a:b]) for a, b in codec.scan(stream.fileno(), len(data))]
    again = [codec.pack(*codec.unpack(r)) for r in records]
    assert b"".join(codec.frame(r) for r in again) == data
