import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.photo import Photo, PhotoChanged
from pipeline.sources.record_io import codec, reader
from pipeline.sources.record_io.codec import MAGIC, Header
from pipeline.sources.record_io.writer import Sample, write_record_io

SAMPLES = [Sample(i // 3, b"\xff\xd8" + bytes([i]) * i + MAGIC * (i % 3), f"p{i // 3}/{i}.jpg") for i in range(10)]


def indexed_photos(path: Path, part_records: int = reader.PART_RECORDS) -> list[Photo]:
    return [p for part in reader.parts(path, part_records=part_records) for p in reader.index(part)]


@pytest.mark.parametrize("layout", ["identity_ranges", "plain"])
@pytest.mark.parametrize("part_records", [1, 4, 100])
@pytest.mark.parametrize("idx", [True, False])
def test_written_samples_are_read(tmp_path, layout, part_records, idx):
    assert write_record_io(tmp_path, SAMPLES, layout=layout) == 10
    if not idx:
        (tmp_path / "train.idx").unlink()
    for path in (tmp_path, tmp_path / "train.rec"):
        photos = indexed_photos(path, part_records)
        assert [(p.key, p.identity) for p in photos] == [(s.key, str(s.label)) for s in SAMPLES]
        assert [reader.read(path, p) for p in photos] == [s.jpeg for s in SAMPLES]
    assert (tmp_path / "property").read_text() == "4,112,112\n"
    assert not list(tmp_path.glob(".*"))


def test_identity_ranges_by_hand(tmp_path):
    write_record_io(tmp_path, SAMPLES)
    rows = [line.split("\t") for line in (tmp_path / "train.idx").read_text().splitlines()]
    offsets = {int(key): int(offset) for key, offset in rows}
    assert list(offsets) == [*range(1, 15), 0]
    with open(tmp_path / "train.rec", "rb") as stream:
        labels = {
            n: codec.read_head(stream.fileno(), o, 10**9).header.labels for n, o in offsets.items() if n % 11 == 0
        }
    assert labels == {0: (11.0, 15.0), 11: (1.0, 4.0)}


def test_names_txt_gives_identities(tmp_path):
    write_record_io(tmp_path, SAMPLES, layout="plain", names=["Ann", "Bob\n", "Zoë", "D"])
    assert [p.identity for p in indexed_photos(tmp_path)][::3] == ["Ann", "Bob%0A", "Zoë", "D"]
    (tmp_path / "names.txt").write_text("Ann\nBob\n")
    with pytest.raises(UserError, match=r"names\.txt holds 2 different names for '4' identities"):
        reader.parts(tmp_path)
    (tmp_path / "property").write_text("4" * 3000)
    with pytest.raises(UserError, match=r"different names for '4{20}' identities"):
        reader.parts(tmp_path)


def test_the_number_is_added_to_titles_that_come_twice(tmp_path):
    write_record_io(tmp_path, [Sample(0, b"a", "x"), Sample(1, b"b", "x")], layout="plain")
    assert [p.key for p in indexed_photos(tmp_path)] == ["x#0", "x#1"]


def test_the_number_is_added_to_titles_that_equal_the_number_of_an_untitled_record(tmp_path):
    write_record_io(tmp_path, [Sample(0, b"a", "1"), Sample(1, b"b", "2"), Sample(2, b"c", "3")], layout="plain")
    assert [p.key for p in indexed_photos(tmp_path)] == ["1", "2", "3"]
    lines = (tmp_path / "train.lst").read_text().splitlines(keepends=True)
    (tmp_path / "train.lst").write_text("".join(lines[:2]))
    assert [p.key for p in indexed_photos(tmp_path)] == ["1#0", "2#1", "2"]


def test_a_lst_of_another_form_is_not_used(tmp_path):
    write_record_io(tmp_path, SAMPLES, layout="plain")
    (tmp_path / "train.lst").write_text("1\t/a/b.jpg\t0\n")
    assert [p.key for p in indexed_photos(tmp_path)] == [str(i) for i in range(10)]


def test_a_folder_of_several_files(tmp_path):
    write_record_io(tmp_path, SAMPLES, layout="plain")
    shutil.copy(tmp_path / "train.rec", tmp_path / "val.rec")
    keys = [p.key for p in indexed_photos(tmp_path)]
    assert len(set(keys)) == 20
    assert keys[0] == "train/p0/0.jpg"
    assert keys[10] == "val/0"


def test_labels_that_are_no_whole_number(tmp_path):
    records = [codec.pack(Header((x,), i), b"j") for i, x in enumerate([1.5, float("nan"), -1.0, 3.0])]
    (tmp_path / "a.rec").write_bytes(b"".join(codec.frame(r) for r in records))
    assert [p.identity for p in indexed_photos(tmp_path)] == ["1.5", "nan", "-1", "3"]


def test_one_bad_record_is_a_failure(tmp_path):
    write_record_io(tmp_path, SAMPLES, layout="plain")
    offset = int((tmp_path / "train.idx").read_text().splitlines()[4].split("\t")[1])
    with open(tmp_path / "train.rec", "r+b") as stream:
        stream.seek(offset)
        stream.write(b"oops")
    photos = indexed_photos(tmp_path)
    assert len(photos) == 10
    assert photos[4].failure == f"unreadable: no record begins at byte {offset}: found 6f6f7073, expected 0a23d7ce"


@pytest.mark.parametrize("cut", [1, 5, 30, 100])
@pytest.mark.parametrize("idx", [True, False])
def test_a_rec_that_is_cut_off_is_a_user_error(tmp_path, cut, idx):
    write_record_io(tmp_path, SAMPLES, layout="plain")
    data = (tmp_path / "train.rec").read_bytes()
    (tmp_path / "train.rec").write_bytes(data[:-cut])
    if not idx:
        (tmp_path / "train.idx").unlink()
    with pytest.raises(UserError, match=r"byte|past the end") as error:
        reader.parts(tmp_path)
    assert "\n" not in str(error.value)


def test_wrong_input_is_a_user_error_of_one_line(tmp_path):
    write_record_io(tmp_path / "good", SAMPLES, layout="plain")
    (tmp_path / "empty").mkdir()
    size = (tmp_path / "good" / "train.rec").stat().st_size
    idx = (tmp_path / "good" / "train.idx").read_text()
    broken = {
        "past": (idx.replace("9\t", f"9\t{size}"), "line 10: offset .* is past the end"),
        "short": ("".join(idx.splitlines(keepends=True)[:-2]), "lists no record after byte"),
        "words": ("one\ttwo\n", "line 1: expected a number, a tab and an offset"),
        "twice": (idx + idx.splitlines(keepends=True)[3], "twice"),
        "void": ("", "is empty"),
    }
    for name, (text, words) in broken.items():
        shutil.copytree(tmp_path / "good", tmp_path / name)
        (tmp_path / name / "train.idx").write_text(text)
        with pytest.raises(UserError, match=words) as error:
            reader.parts(tmp_path / name)
        assert "\n" not in str(error.value)
    (tmp_path / "text.rec").write_text("not a record file")
    (tmp_path / "none.rec").write_text("")
    for name, words in {
        "missing": "is not there",
        "empty": r"holds no \.rec",
        "text.rec": "no record begins at byte 0",
        "none.rec": "holds no record",
    }.items():
        with pytest.raises(UserError, match=words):
            reader.parts(tmp_path / name)


def test_a_changed_file_is_an_error_and_changes_its_parts(tmp_path):
    write_record_io(tmp_path, SAMPLES, layout="plain")
    before, photos = reader.parts(tmp_path), indexed_photos(tmp_path)
    assert reader.parts(tmp_path) == before
    write_record_io(tmp_path, SAMPLES[:5], layout="plain")
    assert reader.parts(tmp_path) != before
    with pytest.raises(PhotoChanged, match=r"train\.rec changed"):
        reader.read(tmp_path, photos[0])


def test_labels_out_of_order_leave_nothing_behind(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="label 2 after 0"):
        write_record_io(out, [Sample(0, b"a", "a"), Sample(2, b"b", "b")])
    assert list(out.iterdir()) == []
    assert write_record_io(out, [Sample(5, b"a", "a"), Sample(2, b"b", "b\tc\n")], layout="plain") == 2
    assert (out / "train.lst").read_text() == "0\t5\ta\n1\t2\tb%09c%0A\n"


def test_more_records_than_a_float32_label_can_hold(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.sources.record_io.writer.MAX_LABEL", 8)
    with pytest.raises(UserError, match="use the layout plain"):
        write_record_io(tmp_path, SAMPLES)


def test_a_file_in_place_of_the_folder_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write RecordIO to"):
        write_record_io(tmp_path / "file", SAMPLES)


def test_a_full_disk_is_a_user_error_and_leaves_no_files(tmp_path):
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True)
    if mount.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        with pytest.raises(UserError, match="no room left on the disk"):
            write_record_io(tmp_path, (Sample(i, bytes(9000), str(i)) for i in range(50)))
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_the_codec_needs_neither_dask_nor_cv2():
    code = """if True:
        import sys, pipeline.sources.record_io.codec
        print([m for m in ("dask", "distributed", "cv2", "torch", "pyarrow") if m in sys.modules])"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.material
@pytest.mark.parametrize("idx", [True, False])
def test_classic_layout(material, tmp_path, idx):
    folder = tmp_path / "copy"
    shutil.copytree(material / "record_io" / "identity_ranges", folder)
    if not idx:
        (folder / "train.idx").chmod(0o644)
        folder.chmod(0o755)
        (folder / "train.idx").unlink()
    photos = indexed_photos(folder)
    assert [p.key for p in photos] == [str(i) for i in range(1, 58)]
    assert len({p.identity for p in photos}) == 12
    assert photos[0].identity == "Aaron_Peirsol"
    assert all(reader.read(folder, p).startswith(b"\xff\xd8") for p in photos)


@pytest.mark.material
def test_newer_layout_and_several_labels(material):
    photos = indexed_photos(material / "record_io" / "plain")
    assert len(photos) == 24
    assert (photos[4].key, photos[4].identity) == ("Abel_Pacheco/Abel_Pacheco_0001.jpg", "1")
    photos = indexed_photos(material / "record_io" / "multi_label")
    assert [(p.key, p.identity) for p in photos][:2] == [
        ("Mercedes/mercedes/1.jpg", "4"),
        ("Mercedes/mercedes/2.jpg", "4"),
    ]
    assert all(reader.read(material / "record_io" / "multi_label", p).startswith(b"\xff\xd8") for p in photos)


def test_struct_sizes():
    assert struct.calcsize("<IfQQ") == 24
