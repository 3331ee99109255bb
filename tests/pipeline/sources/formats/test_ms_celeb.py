import struct
from base64 import b64encode
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.formats import image_folder, ms_celeb
from pipeline.sources.photo import Photo, PhotoChanged, SourceUnreachable

RECTANGLE = b64encode(struct.pack("<4f", 0.1, 0.2, 0.7, 0.8))


def face(mid: str, rank: int, number: int, data: bytes) -> bytes:
    return b"\t".join(
        [mid.encode(), b"%d" % rank, b"http://i", b"http://p", b"FaceId-%d" % number, RECTANGLE, b64encode(data)]
    )


def indexed_photos(path: Path, part_bytes: int = ms_celeb.PART_BYTES) -> list[Photo]:
    return [p for part in ms_celeb.parts(path, part_bytes=part_bytes) for p in ms_celeb.index(part)]


def put(path: Path, *lines: bytes, end: bytes = b"\n") -> Path:
    path.write_bytes(end.join(lines))
    return path


def test_faces(tmp_path):
    path = put(tmp_path / "a.tsv", face("m.01", 52, 0, b"one"), face("m.02", 3, 1, b"two photos"))
    first, second = indexed_photos(path)
    assert (first.key, first.identity, first.box) == ("m.01/52-FaceId-0", "m.01", None)
    assert second.key == "m.02/3-FaceId-1"
    assert [ms_celeb.read(path, p) for p in (first, second)] == [b"one", b"two photos"]


def test_whole_pictures_and_development_set_are_recognised_by_the_contents_of_columns(tmp_path):
    whole = put(tmp_path / "w.tsv", b"m.01\tAnn B\t7\thttp://i\thttp://p\t" + b64encode(b"whole"))
    dev = put(tmp_path / "d.tsv", b"m.01\tAnn B\thttp://i\tFaceId-0\t" + RECTANGLE + b"\t" + b64encode(b"dev"))
    assert [(p.key, p.box) for p in indexed_photos(whole)] == [("m.01/7", None)]
    assert [(p.key, p.box) for p in indexed_photos(dev)] == [("m.01/FaceId-0", None)]
    assert ms_celeb.read(whole, indexed_photos(whole)[0]) == b"whole"
    assert ms_celeb.read(dev, indexed_photos(dev)[0]) == b"dev"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("closed", [True, False])
def test_line_ends(tmp_path, end, closed):
    lines = [face("m.01", i, 0, b"x" * i) for i in range(1, 6)] + ([b""] if closed else [])
    path = put(tmp_path / "a.tsv", *lines, end=end)
    assert [ms_celeb.read(path, p) for p in indexed_photos(path)] == [b"x" * i for i in range(1, 6)]


def test_failures_give_the_number_of_a_malformed_line(tmp_path):
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
        photos = indexed_photos(path, part_bytes)
        kept = [p for p in photos if not p.failure]
        assert [ms_celeb.read(path, p) for p in kept] == [b"good", b"good"]
        failures = {p.failure.split(": ")[1]: (p.identity, p.failure.split(": ", 2)[2]) for p in photos if p.failure}
        assert failures["a.tsv line 2"] == ("m.02", "found 3 columns, expected 6 or 7")
        assert failures["a.tsv line 4"][1].startswith("the last column, the photo, is no base64")
        assert failures["a.tsv line 5"] == ("m.01", "the last column, the photo, is empty")
        assert failures["a.tsv line 6"] == (None, "the first column, the MID, is empty")
        assert failures["a.tsv line 7"] == (None, "found 1 columns, expected 6 or 7")
        assert len(photos) == 7
        assert sum(p.key.startswith("m.01/") for p in photos) == 4, (
            "the key has the photo's name where the line has one"
        )


def test_parts_of_any_size_hold_every_line_once(tmp_path):
    path = put(tmp_path / "a.tsv", *[face(f"m.{i % 7}", i, 0, bytes(i)) for i in range(1, 60)])
    whole = indexed_photos(path)
    assert len(whole) == 59
    for part_bytes in (1, 17, 100, 1000, 4096):
        assert indexed_photos(path, part_bytes) == whole


def test_two_lines_with_one_key_get_two_keys(tmp_path):
    path = put(tmp_path / "a.tsv", face("m.1", 1, 0, b"a"), face("m.1", 1, 0, b"b"))
    first, second = indexed_photos(path)
    assert first.key == "m.1/1-FaceId-0"
    assert second.key == f"m.1/1-FaceId-0@:{second.offset}"
    assert ms_celeb.read(path, second) == b"b"


def test_a_line_that_is_too_long_is_skipped_and_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(ms_celeb, "LONGEST_LINE", 1 << 20)
    path = put(tmp_path / "a.tsv", face("m.1", 1, 0, b"a"), b"m.2\t" + b"A" * (3 << 20), face("m.3", 1, 0, b"c"))
    photos = indexed_photos(path)
    assert [p.key for p in photos] == ["m.1/1-FaceId-0", "a.tsv:line 2", "m.3/1-FaceId-0"]
    assert photos[1].failure == "unreadable: a.tsv line 2: longer than 1 MiB"


def test_a_folder_of_files(tmp_path):
    put(tmp_path / "b.tsv", face("m.2", 1, 0, b"b"))
    put(tmp_path / "a.TSV", face("m.1", 1, 0, b"a"))
    put(tmp_path / "readme.txt", b"hello")
    photos = indexed_photos(tmp_path)
    assert [(p.file, ms_celeb.read(tmp_path, p)) for p in photos] == [("a.TSV", b"a"), ("b.tsv", b"b")]
    assert ms_celeb.survey(tmp_path).ignored == {"no .tsv file": 1}


def test_other_tables_in_the_folder_are_passed_over_and_told(tmp_path):
    put(tmp_path / "faces.tsv", face("m.1", 1, 0, b"a"))
    put(tmp_path / "Top1M_MidList.Name.tsv", b'm.1\t"Ann"@en', b'm.2\t"Bob"@en')
    assert [p.key for p in indexed_photos(tmp_path)] == ["m.1/1-FaceId-0"]
    survey = ms_celeb.survey(tmp_path)
    assert survey.ignored == {"a .tsv file without photos": 1}
    (warning,) = survey.warnings
    assert "Top1M_MidList.Name.tsv holds no line of MS-Celeb-1M (line 1: found 2 columns" in warning
    assert warning.endswith("it is passed over")
    (tmp_path / "faces.tsv").unlink()
    with pytest.raises(UserError, match="Top1M_MidList"):
        ms_celeb.parts(tmp_path)


def test_wrong_input_is_a_user_error_of_one_line(tmp_path):
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


def test_a_changed_file_is_an_error_and_changes_its_parts(tmp_path):
    path = put(tmp_path / "a.tsv", face("m.1", 1, 0, b"a"))
    before, (photo,) = ms_celeb.parts(path), indexed_photos(path)
    assert ms_celeb.parts(path) == before
    put(path, face("m.1", 1, 0, b"other"))
    assert ms_celeb.parts(path) != before
    with pytest.raises(PhotoChanged, match=r"a\.tsv changed"):
        ms_celeb.read(path, photo)
    path.unlink()
    with pytest.raises(SourceUnreachable, match=r"a\.tsv cannot be read"):
        ms_celeb.read(path, photo)


@pytest.mark.material
def test_real_photos_are_read_from_a_tsv(material, tmp_path):
    root = material / "noisy_lfw" / "photos"
    originals = list(image_folder.index(image_folder.parts(root)[0]))[:300]
    lines = [face(p.identity or "", i, 0, image_folder.read(root, p)) for i, p in enumerate(originals)]
    path = put(tmp_path / "a.tsv", *lines)
    photos = indexed_photos(path, 100_000)
    assert [p.identity for p in photos] == [p.identity for p in originals]
    assert [ms_celeb.read(path, p) for p in photos] == [image_folder.read(root, p) for p in originals]
