import os
from hashlib import blake2b
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.files import FolderOptions
from pipeline.sources.formats import image_folder
from pipeline.sources.kinds import source_format
from pipeline.sources.photo import Photo, PhotoChanged, distinct_keys
from tests.builders.photos.photo_files import photos_by_key, put
from tests.builders.processes.user_nobody import as_user_nobody


def test_photos_have_any_suffix_and_depth_and_other_files_are_counted(tmp_path):
    for name in ("Ann/1.jpg", "Ann/2.JPEG", "Bob/x/3.Png", "Bob/x/4.webp", "Bob/5.bmp"):
        put(tmp_path / name, name.encode())
    for name in ("Ann/._1.jpg", "Ann/list.txt", ".trash/1.jpg", "readme", "Ann/Thumbs.db"):
        put(tmp_path / name)
    photos = photos_by_key(tmp_path)
    assert {k: p.identity for k, p in photos.items()} == {
        "Ann/1.jpg": "Ann",
        "Ann/2.JPEG": "Ann",
        "Bob/x/3.Png": "Bob/x",
        "Bob/x/4.webp": "Bob/x",
        "Bob/5.bmp": "Bob",
    }
    assert all(image_folder.read(tmp_path, p) == key.encode() for key, p in photos.items())
    assert image_folder.survey(tmp_path).ignored == {
        "hidden": 2,
        "not a photo: .txt": 1,
        "not a photo: no suffix": 1,
        "not a photo: .db": 1,
    }


@pytest.mark.parametrize(
    "name", ["a b", 'it\'s "quoted"', "Zoë Ünïcode 東京", "two\nlines", "tab\t", "back\\slash", "#%&"]
)
def test_unusual_names_are_kept(tmp_path, name):
    put(tmp_path / name / f"{name}.jpg", b"x")
    (photo,) = photos_by_key(tmp_path).values()
    assert (photo.identity, photo.key) == (name, f"{name}/{name}.jpg")
    assert image_folder.read(tmp_path, photo) == b"x"


def test_a_name_that_is_not_utf8_is_a_photo_with_a_failure(tmp_path):
    put(tmp_path / "Ann" / os.fsdecode(b"caf\xe9.jpg"))
    (photo,) = photos_by_key(tmp_path).values()
    assert photo.key == "Ann/caf\\xe9.jpg"
    assert photo.failure == "unreadable: its name is no UTF-8: rename it"
    photo.key.encode()


def test_wrong_paths_are_user_errors_of_one_line(tmp_path):
    put(tmp_path / "flat" / "1.jpg")
    put(tmp_path / "none" / "Ann" / "1.txt")
    (tmp_path / "empty").mkdir()
    expected = {
        "missing": "is not there",
        "empty": "holds no photo",
        "none": "1 other files",
        "flat/1.jpg": "is a file",
        "flat": "no identities",
    }
    for name, words in expected.items():
        with pytest.raises(UserError, match=words) as error:
            image_folder.parts(tmp_path / name)
        assert "\n" not in str(error.value)
        assert str(tmp_path / name) in str(error.value)


def test_photos_may_lie_in_the_root_when_flat(tmp_path):
    put(tmp_path / "1.jpg")
    assert photos_by_key(tmp_path, flat=True)["1.jpg"].identity is None


def test_the_error_names_a_folder_that_cannot_be_read(tmp_path):
    put(tmp_path / "Ann" / "1.jpg")
    for folder in (tmp_path, *(p for p in tmp_path.parents if p.name.startswith(("pytest-", "popen-")))):
        folder.chmod(0o755)
    (tmp_path / "Ann").chmod(0)
    try:
        with as_user_nobody(), pytest.raises(UserError, match="Ann' cannot be read"):
            image_folder.parts(tmp_path)
    finally:
        (tmp_path / "Ann").chmod(0o755)


def test_a_changed_folder_changes_only_its_part(tmp_path):
    for i in range(600):
        put(tmp_path / f"m.{i:04}" / "1.jpg")
    before = image_folder.parts(tmp_path)
    assert len(before) == 4
    assert sorted(f for p in before for f in p.folders) == [f"m.{i:04}" for i in range(600)]
    assert image_folder.parts(tmp_path) == before
    put(tmp_path / "m.0007" / "1.jpg", b"other bytes")
    put(tmp_path / "m.0600" / "1.jpg")
    after = image_folder.parts(tmp_path)
    assert 1 <= len(set(after) - set(before)) <= 2


def test_a_changed_or_missing_photo_is_an_error(tmp_path):
    put(tmp_path / "Ann" / "1.jpg", b"1")
    put(tmp_path / "Ann" / "2.jpg", b"2")
    photos = photos_by_key(tmp_path)
    put(tmp_path / "Ann" / "1.jpg", b"11")
    (tmp_path / "Ann" / "2.jpg").unlink()
    with pytest.raises(PhotoChanged, match=r"1\.jpg changed"):
        image_folder.read(tmp_path, photos["Ann/1.jpg"])
    with pytest.raises(PhotoChanged, match=r"2\.jpg vanished"):
        image_folder.read(tmp_path, photos["Ann/2.jpg"])


def test_distinct_keys_keep_the_first_and_rename_the_others():
    twice = [Photo("a", "x", "f", 0), Photo("a", "x", "f", 9), Photo("b", "x", "f", 5)]
    assert [p.key for p in distinct_keys(twice)] == ["a", "a@f:9", "b"]


def test_a_source_format_is_chosen_by_name():
    assert source_format("image-folder") is image_folder
    with pytest.raises(UserError, match="image-folder, photo-list, webdataset, parquet, ms-celeb"):
        source_format("zip")


def identities(path: Path, level: int) -> set[str | None]:
    options = FolderOptions(identity_level=level)
    return {p.identity for part in image_folder.parts(path, options=options) for p in image_folder.index(part)}


def test_the_identity_is_as_many_leading_folders_as_asked_for(tmp_path):
    for name in ("Ann/1.jpg", "Ann/party/2.jpg", "Ann/party/late/3.jpg", "Bob/party/4.jpg"):
        put(tmp_path / name)
    assert identities(tmp_path, 0) == {"Ann", "Ann/party", "Ann/party/late", "Bob/party"}
    assert identities(tmp_path, 1) == {"Ann", "Bob"}
    assert identities(tmp_path, 2) == {"Ann", "Ann/party", "Bob/party"}


def test_a_part_that_is_read_as_usual_keeps_its_values(tmp_path):
    """Its values are in the address of every table, so they are the same as before there were options."""
    photo = put(tmp_path / "Ann" / "1.jpg")
    os.utime(photo, ns=(0, 7))
    (part,) = image_folder.parts(tmp_path)
    entry = repr(("Ann/1.jpg", 5, 7, "", ""))
    of_folder = blake2b(entry.encode() + b"\0", digest_size=16).hexdigest()
    digest = blake2b(of_folder.encode() + b"\0", digest_size=16).hexdigest()
    assert part == (str(tmp_path), ("Ann",), digest)
    assert image_folder.parts(tmp_path, options=FolderOptions(identity_level=1)) != [part]


@pytest.mark.material
def test_the_noisy_photos(material):
    photos = photos_by_key(material / "noisy_lfw" / "photos")
    assert len(photos) == 4715
    assert len({p.identity for p in photos.values()}) == 683


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("train-0.tar", "give them as webdataset"),
        ("data/train-0.parquet", "give them as parquet"),
        ("data.mdb", "an LMDB, which is not read"),
        ("lfw/data/__0.blp", "a bcolz array, which is not read"),
        ("faces.zip", "unpack it"),
        ("notes.txt", "give a folder of identity/photo.jpg"),
    ],
)
def test_a_folder_without_photos_says_what_it_holds(tmp_path: Path, name: str, words: str) -> None:
    put(tmp_path / name)
    with pytest.raises(UserError, match=words):
        image_folder.parts(tmp_path)


def test_a_list_beside_one_folder_of_all_photos_is_named(tmp_path: Path) -> None:
    for i in range(12):
        put(tmp_path / f"images/{i}.jpg")
    put(tmp_path / "labels.txt", "".join(f"images/{i}.jpg {i // 3}\n" for i in range(12)).encode())
    put(tmp_path / "notes.txt", b"nothing\n")
    warnings = image_folder.survey(tmp_path).warnings
    assert any("labels.txt gives 9 of 12 photos other labels" in line and "photo-list" in line for line in warnings)
    with pytest.raises(UserError, match=r"no identities: give photo-list .*labels\.txt, which names them"):
        image_folder.parts(tmp_path / "images")
    with pytest.raises(UserError, match=r"labels\.txt is a file that lists photos: give photo-list"):
        image_folder.parts(tmp_path / "labels.txt")
