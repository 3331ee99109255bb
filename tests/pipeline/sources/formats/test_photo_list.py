"""Lists of photos with labels, as CelebA, LightCNN, mxnet, InsightFace and spreadsheets write them."""

import os
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.formats import photo_list
from pipeline.sources.photo import Photo, PhotoChanged
from tests.builders.file_trees import put_files


def listed(path: Path) -> dict[str, Photo]:
    """The photos of a list by key."""
    photos = [photo for part in photo_list.parts(path) for photo in photo_list.index(part)]
    assert len({photo.key for photo in photos}) == len(photos)
    return {photo.key: photo for photo in photos}


@pytest.mark.parametrize(
    ("text", "below"),
    [
        ("images/1.jpg 7\nimages/b c.png 8\n", "images/"),
        ("1.jpg 7\nb c.png 8\n", ""),
        ("3\t7.000000\t1.jpg\n4\t8.000000\tb c.png\n", ""),
        ("1\t/data/faces/1.jpg\t7\n1\t/data/faces/b c.png\t8\n", ""),
        ("7 1.jpg\n8 b c.png\n", ""),
        ("2\n1.jpg 7\nb c.png 8\n", ""),
        ('\ufeffpath,identity\r\n1.jpg,7\r\n"b c.png",8\r\n', ""),
        ("label;filename\n7;1.jpg\n8;b c.png\n", ""),
        ("C:\\faces\\1.jpg 7\nC:\\faces\\b c.png 8\n", ""),
    ],
    ids=[
        "path-label",
        "in-a-subfolder",
        "mxnet",
        "insightface",
        "label-first",
        "counted",
        "csv",
        "semicolons",
        "windows",
    ],
)
def test_every_layout_names_the_same_photos(tmp_path: Path, text: str, below: str) -> None:
    put_files(tmp_path / "images", {"1.jpg": b"one", "b c.png": b"two", "c.jpg": b"three", "notes": b""})
    (tmp_path / "list.txt").write_text(text, encoding="utf-8", newline="")
    photos = listed(tmp_path / "list.txt")
    assert {key: photo.identity for key, photo in photos.items()} == {f"{below}1.jpg": "7", f"{below}b c.png": "8"}
    assert [photo_list.read(tmp_path / "list.txt", p) for p in photos.values()] == [b"one", b"two"]
    assert photo_list.survey(tmp_path / "list.txt").ignored == {
        "photo that the list does not name": 1,
        "not a photo: no suffix": 1,
    }


def test_boxes_of_a_table_are_in_pixels(tmp_path: Path) -> None:
    put_files(tmp_path, {"1.jpg": b"one", "2.jpg": b"two"})
    (tmp_path / "a.csv").write_text("image,person,x1,y1,x2,y2\n1.jpg,Ann,3,4,13,24\n2.jpg,Bob,,,,\n")
    assert [p.box for p in listed(tmp_path / "a.csv").values()] == [(3, 4, 13, 24), None]
    (tmp_path / "a.csv").write_text("image,person,x,y,width,height\n1.jpg,Ann,3,4,10,20\n2.jpg,Bob,1,1,2,2\n")
    assert [p.box for p in listed(tmp_path / "a.csv").values()] == [(3, 4, 13, 24), (1, 1, 3, 3)]


def test_celeba_is_found_in_its_folder(tmp_path: Path) -> None:
    put_files(tmp_path / "img_align_celeba", {"000001.jpg": b"one", "000002.jpg": b"two"})
    (tmp_path / "identity_CelebA.txt").write_text("000001.jpg 2880\n000002.jpg 2937\n")
    photos = listed(tmp_path)
    assert {key: photo.identity for key, photo in photos.items()} == {"000001.jpg": "2880", "000002.jpg": "2937"}
    assert photo_list.read(tmp_path, photos["000002.jpg"]) == b"two"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "file_name,label\n1.jpg,7\nsub/2.png,Ann\n"),
        ("metadata.jsonl", '{"file_name": "1.jpg", "label": 7}\n{"label": "Ann", "file_name": "sub/2.png"}\n'),
    ],
)
def test_the_metadata_of_an_imagefolder_are_found_in_its_folder(tmp_path: Path, name: str, text: str) -> None:
    put_files(tmp_path, {"1.jpg": b"one", "sub/2.png": b"two", name: text.encode()})
    photos = listed(tmp_path)
    assert {key: photo.identity for key, photo in photos.items()} == {"1.jpg": "7", "sub/2.png": "Ann"}
    assert photo_list.survey(tmp_path).ignored == {}


def test_lines_of_json_that_name_no_photo_are_accounted_for(tmp_path: Path) -> None:
    lines = ['{"image": "1.jpg", "identity": "Ann", "x": 1, "y": 2, "width": 3, "height": "4"}', "{broken", "[1]"]
    lines += ['{"image": "1.jpg"}', '{"image": {}, "label": 1}', '{"image": "../1.jpg", "label": 1}', "[" * 100_000]
    put_files(tmp_path, {"1.jpg": b"one", "a.jsonl": "\n".join(lines).encode()})
    photos = listed(tmp_path / "a.jsonl")
    assert [photo.box for photo in photos.values()] == [(1, 2, 4, 6)] + [None] * 6
    assert sum("it has no photo or no identity" in str(p.failure) for p in photos.values()) == 5
    assert sum("leads out" in str(p.failure) for p in photos.values()) == 1


def test_every_line_is_accounted_for(tmp_path: Path) -> None:
    put_files(tmp_path / "images", {"1.jpg": b"one", "2.jpg": b"two"})
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    lines = ["1.jpg Ann", "gone.jpg Ann", "no photo", "../secret.jpg Bob", "1.jpg Bob", "2.jpg Bob"]
    (tmp_path / "images/list.txt").write_text("\n".join(lines))
    photos = listed(tmp_path / "images/list.txt")
    assert len(photos) == len(lines)
    failures = {key: photo.failure for key, photo in photos.items() if photo.failure}
    assert failures == {
        "gone.jpg": "unreadable: list.txt line 2: the photo is not there",
        "list.txt:line 3": "unreadable: list.txt line 3: it names no photo with a label",
        "list.txt:line 4": "unreadable: list.txt line 4: its path leads out of the folder",
    }
    assert [p.identity for p in photos.values() if not p.failure] == ["Ann", "Bob", "Bob"]


def test_a_changed_photo_changes_the_part_and_is_told(tmp_path: Path) -> None:
    put_files(tmp_path, {"1.jpg": b"one", "2.jpg": b"two"})
    (tmp_path / "list.txt").write_text("1.jpg Ann\n2.jpg Bob\n")
    before, photos = photo_list.parts(tmp_path / "list.txt"), listed(tmp_path / "list.txt")
    assert photo_list.parts(tmp_path / "list.txt") == before
    (tmp_path / "2.jpg").write_bytes(b"other")
    os.utime(tmp_path / "2.jpg", ns=(1, 1))
    assert photo_list.parts(tmp_path / "list.txt") != before
    with pytest.raises(PhotoChanged, match=r"2\.jpg changed"):
        photo_list.read(tmp_path / "list.txt", photos["2.jpg"])


def test_what_is_no_list_of_photos_that_are_there_is_one_line(tmp_path: Path) -> None:
    put_files(tmp_path / "empty", {})
    with pytest.raises(UserError, match="is a folder: give the list in it"):
        photo_list.parts(tmp_path / "empty")
    for text, words in (
        ("hello\n", "names no photos"),
        ("", "names no photos"),
        ("1.jpg Ann\n", "none of the first"),
        ("a/0.jpg a/1.jpg 1\n", "names no photos"),
    ):
        (tmp_path / "empty/list.txt").write_text(text)
        with pytest.raises(UserError, match=words):
            photo_list.parts(tmp_path / "empty/list.txt")
    (tmp_path / "empty/list.txt").write_bytes(bytes(range(128, 256)))
    with pytest.raises(UserError, match="is not text"):
        photo_list.parts(tmp_path / "empty/list.txt")


def test_a_link_that_leads_out_of_the_source_is_not_followed(tmp_path: Path) -> None:
    put_files(tmp_path / "private", {"1.jpg": b"private"})
    put_files(tmp_path / "set", {"in.jpg": b"one"})
    (tmp_path / "set/out.jpg").symlink_to(tmp_path / "private/1.jpg")
    (tmp_path / "set/also.jpg").symlink_to(tmp_path / "set/in.jpg")
    (tmp_path / "set/folder").symlink_to(tmp_path / "private")
    (tmp_path / "set/list.txt").write_text("in.jpg Ann\nout.jpg Ann\nalso.jpg Bob\nfolder/1.jpg Bob\n")
    failures = {key: photo.failure for key, photo in listed(tmp_path / "set/list.txt").items()}
    assert [key for key, failure in failures.items() if failure is None] == ["in.jpg", "also.jpg"]
    assert failures["out.jpg"] == "unreadable: list.txt line 2: a link leads out of the source"
    assert "leads out" in str(failures["folder/1.jpg"])
