"""The account of files beside photos, by reason and suffix, however many suffixes there are."""

import errno
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.formats import folder_walk, image_folder
from tests.builders.photos.photo_files import photos_by_key, put


def test_many_suffixes_are_counted_together(tmp_path: Path) -> None:
    put(tmp_path / "Ann/1.jpg")
    for i in range(20):
        put(tmp_path / f"Ann/{i}.x{i}")
    put(tmp_path / "Ann/2.x5")
    put(tmp_path / "Ann/<b>.\x1b[1m")
    ignored = image_folder.survey(tmp_path).ignored
    assert sum(ignored.values()) == 22
    assert len(ignored) == 9
    assert ignored["not a photo: .x5"] == 2
    assert ignored["not a photo: other suffixes"] >= 12
    assert not any("\x1b" in reason for reason in ignored)


def test_a_file_without_a_suffix_that_cannot_be_opened_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "Ann/1.jpg")
    put(tmp_path / "Ann/secret")

    def no_permission(path: str, *arguments: object, **options: object) -> object:
        if path.endswith("secret"):
            raise OSError(number, "fault")
        return open(path, *arguments, **options)

    monkeypatch.setattr(folder_walk, "open", no_permission, raising=False)
    number = errno.EACCES
    assert set(photos_by_key(tmp_path)) == {"Ann/1.jpg"}
    assert image_folder.survey(tmp_path).ignored == {"without a suffix of photos, and it cannot be opened": 1}
    number = errno.EIO
    with pytest.raises(UserError, match="cannot be read"):
        image_folder.parts(tmp_path)
