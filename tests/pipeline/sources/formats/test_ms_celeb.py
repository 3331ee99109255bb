import struct
from base64 import b64encode
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.formats import image_folder, ms_celeb
from pipeline.sources.photo import Photo, PhotoChanged

RECTANGLE = b64encode(struct.pack("<4f", 0.1, 0.2, 0.7, 0.8))


def face(mid: str, rank: int, number: int, data: bytes) -> bytes:
    return b"\t".join(
        [mid.encode(), b"%d" % rank, b"http://i", b"http://p", b"FaceId-%d" % number, RECTANGLE, b64encode(data)]
    )


def photos(path: Path, part_bytes: int = ms_celeb.PART_BYTES) -> list[Photo]:
    return [p for part in ms_celeb.parts(path, part_bytes=part_bytes) for p in ms_celeb.index(part)]


def put(path: Path, *lines: bytes, end: bytes = b"\n") -> Path:
    path.write_bytes(end.join(lines))
    return path


def test_faces(tmp_path):
    path = put(tmp_path / "a.tsv", face("m.01", 52, 0, b"one"), face("m.02", 3, 1, b"two photos"))
    first, second = photos(path)
    assert (first.key, first.identity, first.box) == ("m.01/52-FaceId-0", "m.01", None)
    assert second.key == "m.02/3-FaceId-1"
    assert [ms_celeb.read(path, p) for p in (first, second)] == [b"one", b"two photos"]


def test_whole_pictures_and_development_set_are_told_apart_by_what_the_columns_hold(tmp_path):
    whole = put(tmp_path / "w.tsv", b"m.01\tAnn B\t7\thttp://i\thttp://p\t" + b64encode(b"whole"))
    dev = put(tmp_path / "d.tsv", b"m.01\tAnn B\thttp://i\tFaceId-0\t" + RECTANGLE + b"\t" + b64encode(b"dev"))
    assert [(p.key, p.box) for p in photos(whole)] == [("m.01/7", None)]
    assert [(p.key, p.box) for p in photos(dev)] == [("m.01/FaceId-0", None)]
    assert ms_celeb.read(whole, photos(whole)[0]) == b"whole"
    assert ms_celeb.read(dev, photos(dev)[0]) == b"dev"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("closed", [True, False])
def test_line_ends(tmp_path, end, closed):
    lines = [face("m.01", i, 0, b"x" * i) for i in range(1, 6)] + ([b""] if closed else [])
    path = put(tmp_path / "a.tsv", *lines, end=end)
    assert [ms_celeb.read(path, p) for p in photos(path)] == [b"x" * i for i in range(1, 6)]


def test_malformed_lines_are_told_with_their_number(tmp_path):
    good = face("m.01", 1, 0, b"good")
    lines = [
        good,
        b"m.02\tonly three\tcolumns",
        b"",
        good.rsplit(b"\t", 1)[0] + b"\t!!!",
        good.rsplit(b"\t", 1)[0] + b"\t",
        b"\t" + good.split(b"\t", 1)[1],
        b"\xff\xfe\x00 binary",
        good,
    ]
    path = put(tmp_path / "a.tsv", *lines)
    for part_bytes in (1 << 20, 150, 40, 1):
        found = photos(path, part_bytes)
        kept = [p for p in found if not p.failure]
        assert [ms_celeb.read(path, p) for p in kept] == [b"good", b"good"]
        failures = {p.failure.split(": ")[1]: (p.identity, p.failure.split(": ", 2)[2]) for p in found if p.failure}
        assert failures["a.tsv line 2"] == ("m.02", "found 3 columns, expected 6 or 7")
        assert failures["a.tsv line 4"][1].startswith("the last column, the photo, is no base64")
        assert failures["a.tsv line 5"] == ("m.01", "the last column, the photo, is empty")
        assert failures["a.tsv line 6"] == (None, "the first column, the MID, is empty")
        assert failures["a.tsv line 7"] == (None, "found 1 columns, expected 6 or 7")
        assert len(found) == 7
        assert sum(p.key.startswith("m.01/") for p in found) == 4, "where a line names its photo, so does the key"


def test_no_line_is_lost_or_read_twice_however_a_file_is_cut(tmp_path):
    path = put(tmp_path / "a.tsv", *[face(f"m.{i % 7}", i, 0, bytes(i)) for i in range(1, 60)])
    whole = photos(path)
    assert len(whole) == 59
    for part_bytes in (1, 17, 100, 1000, 4096):
        assert photos(path, part_bytes) == whole


def test_a_key_that_comes_twice_keeps_both_lines(tmp_path):
    path = put(tmp_path / "a.tsv", face("m.1", 1, 0, b"a"), face("m.1", 1, 0, b"b"))
    first, second = photos(path)
    assert first.key == "m.1/1-FaceId-0"
    assert second.key == f"m.1/1-FaceId-0@:{second.offset}"
    assert ms_celeb.read(path, second) == b"b"


def test_a_line_without_end_is_never_held(tmp_path, monkeypatch):
    monkeypatch.setattr(ms_celeb, "LONGEST_LINE", 1 << 20)
    path = put(tmp_path / "a.tsv", face("m.1", 1, 0, b"a"), b"m.2\t" + b"A" * (3 << 20), face("m.3", 1, 0, b"c"))
    found = photos(path)
    assert [p.key for p in found] == ["m.1/1-FaceId-0", "a.tsv:line 2", "m.3/1-FaceId-0"]
    assert found[1].failure == "unreadable: a.tsv line 2: longer than 1 MiB"


def test_a_folder_of_files(tmp_path):
    put(tmp_path / "b.tsv", face("m.2", 1, 0, b"b"))
    put(tmp_path / "a.TSV", face("m.1", 1, 0, b"a"))
    put(tmp_path / "readme.txt", b"hello")
    found = photos(tmp_path)
    assert [(p.file, ms_celeb.read(tmp_path, p)) for p in found] == [("a.TSV", b"a"), ("b.tsv", b"b")]
    assert ms_celeb.ignored(tmp_path) == {"no .tsv file": 1}


def test_wrong_input_is_told_in_one_line(tmp_path):
    (tmp_path / "none").mkdir()
    put(tmp_path / "bad.tsv", b"a\tb\tc", b"1\t2\t3")
    put(tmp_path / "empty.tsv", b"")
    put(tmp_path / "six.tsv", b"m.1\ta\tb\tc\td\t" + b64encode(b"x"))
    expected = {
        "missing.tsv": "is not there",
        "none": r"holds no \.tsv file",
        "empty.tsv": "it is empty",
        "bad.tsv": "line 1: found 3 columns, expected 6 or 7",
        "six.tsv": "line 1: found 6 columns",
    }
    for name, words in expected.items():
        with pytest.raises(UserError, match=words) as error:
            ms_celeb.parts(tmp_path / name)
        assert "\n" not in str(error.value)
        assert str(tmp_path / name) in str(error.value)


def test_a_changed_file_is_told_and_changes_its_parts(tmp_path):
    path = put(tmp_path / "a.tsv", face("m.1", 1, 0, b"a"))
    before, (photo,) = ms_celeb.parts(path), photos(path)
    assert ms_celeb.parts(path) == before
    put(path, face("m.1", 1, 0, b"other"))
    assert ms_celeb.parts(path) != before
    with pytest.raises(PhotoChanged, match=r"a\.tsv changed"):
        ms_celeb.read(path, photo)
    path.unlink()
    with pytest.raises(PhotoChanged, match=r"a\.tsv vanished"):
        ms_celeb.read(path, photo)


@pytest.mark.material
def test_real_photos_come_back_from_a_tsv(material, tmp_path):
    root = material / "noisy_lfw" / "photos"
    some = list(image_folder.index(image_folder.parts(root)[0]))[:300]
    lines = [face(p.identity or "", i, 0, image_folder.read(root, p)) for i, p in enumerate(some)]
    path = put(tmp_path / "a.tsv", *lines)
    found = photos(path, 100_000)
    assert [p.identity for p in found] == [p.identity for p in some]
    assert [ms_celeb.read(path, p) for p in found] == [image_folder.read(root, p) for p in some]
