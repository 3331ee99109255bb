"""Reading a photo's bytes: what is a fact about the file, and what is a fault of the storage below it."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from pipeline.sources import files
from pipeline.sources.files import FolderOptions, read_bytes, with_source_retries
from pipeline.sources.formats import image_folder
from pipeline.sources.photo import Photo, PhotoChanged, SourceUnreachable
from pipeline.tables import storage


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source of two photos of Ann and one of Bob, which is a link."""
    for name in ("disk/Ann/1.jpg", "disk/Ann/2.jpg", "other/3.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"photo")
    (tmp_path / "disk/Bob").mkdir()
    (tmp_path / "disk/Bob/3.jpg").symlink_to(tmp_path / "other/3.jpg")
    return tmp_path / "disk"


def photo(source: Path, name: str) -> Photo:
    parts = image_folder.parts(source, options=FolderOptions(follow_links=True))
    photos = {p.key: p for part in parts for p in image_folder.index(part)}
    return photos[name]


def test_a_deleted_file_is_a_fact_while_its_folder_is_there(source: Path) -> None:
    ann = photo(source, "Ann/1.jpg")
    (source / "Ann/1.jpg").unlink()
    with pytest.raises(PhotoChanged, match=r"1\.jpg vanished since it was indexed"):
        read_bytes(source, ann, whole_file=True)
    (source / "Ann/2.jpg").unlink()  # the folder is empty now, but the source is not
    with pytest.raises(PhotoChanged, match=r"1\.jpg vanished"):
        read_bytes(source, ann, whole_file=True)


def test_a_file_without_permission_is_a_fact_while_its_folder_can_be_read(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = photo(source, "Ann/1.jpg")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(PhotoChanged, match=r"1\.jpg cannot be read: Permission denied"):
        read_bytes(source, ann, whole_file=True)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceUnreachable, match=r"1\.jpg cannot be read \(Permission denied\): repair or mount"):
        read_bytes(source, ann, whole_file=True)


@pytest.mark.parametrize("fault", ["source gone", "source empty", "folder gone", "target of a link gone"])
def test_a_source_that_is_gone_is_no_fact_about_its_photos(source: Path, fault: str) -> None:
    ann, bob = photo(source, "Ann/1.jpg"), photo(source, "Bob/3.jpg")
    if fault == "folder gone":
        shutil.rmtree(source / "Ann")
    elif fault == "target of a link gone":
        shutil.rmtree(source.parent / "other")
    else:
        shutil.rmtree(source)
    if fault == "source empty":  # the folder on which it was mounted
        source.mkdir()
    lost = bob if fault == "target of a link gone" else ann
    with pytest.raises(SourceUnreachable, match=r"jpg cannot be read \(No such file or directory\): repair or mount"):
        read_bytes(source, lost, whole_file=True)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EMFILE, 9999])
def test_an_error_of_the_storage_is_no_fact_about_a_photo(
    source: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    ann = photo(source, "Ann/1.jpg")

    def fail(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(SourceUnreachable, match="repair or mount its disk, or leave it out, and run again") as error:
        read_bytes(source, ann, whole_file=True)
    assert "\n" not in str(error.value)


def test_fewer_bytes_than_the_file_has_are_a_fault_of_the_storage(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = photo(source, "Ann/1.jpg")
    with pytest.raises(PhotoChanged, match="ends at byte 5, before the photo does"):
        read_bytes(source, ann._replace(offset=3))
    monkeypatch.setattr(os, "pread", lambda *_: b"pho")
    with pytest.raises(SourceUnreachable, match="3 of 5 bytes came"):
        read_bytes(source, ann)


def test_a_file_of_many_photos_that_is_gone_is_a_source_that_is_gone(source: Path) -> None:
    ann = photo(source, "Ann/1.jpg")
    (source / "Ann/1.jpg").unlink()
    with pytest.raises(SourceUnreachable):
        read_bytes(source, ann)


def test_a_source_that_answers_again_is_read_and_one_that_does_not_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(storage.time, "sleep", waits.append)
    answers = [SourceUnreachable("a.jpg cannot be read (gone)"), SourceUnreachable("again"), b"photo"]

    def access() -> bytes:
        answer = answers.pop(0) if answers else SourceUnreachable("a.jpg cannot be read (gone): mount it")
        if isinstance(answer, SourceUnreachable):
            raise answer
        return answer

    assert with_source_retries("/data", access) == b"photo"
    assert len(waits) == 2
    assert "/data does not answer" in caplog.text
    monkeypatch.setattr(storage, "RETRY_S", 0.0)
    with pytest.raises(SourceUnreachable, match=r"^a\.jpg cannot be read \(gone\): mount it; finished shards stay$"):
        with_source_retries("/data", access)
    with pytest.raises(PhotoChanged):
        with_source_retries("/data", lambda: read_bytes("/", Photo("k", None, "etc/passwd", modified=1)))
