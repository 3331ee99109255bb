"""The sources that the command line names, and what is told about them before any photo is read."""

import logging
from pathlib import Path

import pytest

from flows.refine.source_pairs import parse_sources, survey_sources
from pipeline.errors import UserError
from pipeline.sources.files import FolderOptions
from pipeline.sources.index import index_photos
from tests.builders.photos.photo_files import write_photos


def test_options_of_folders_go_to_the_sources_that_have_them(tmp_path: Path) -> None:
    words = ["image-folder", str(tmp_path / "a"), "megaface", str(tmp_path / "b"), "ms-celeb", str(tmp_path / "c")]
    sources = parse_sources(words, follow_links=True, identity_level=2)
    assert [s.options for s in sources] == [FolderOptions(True, 2), FolderOptions(True, 0), FolderOptions()]
    assert [s.options for s in parse_sources(words)] == [FolderOptions()] * 3
    for options, message in (
        ({"follow_links": True}, "--follow-links: it is for image-folder and megaface"),
        ({"identity_level": 1}, "--identity-level 1: it is for image-folder"),
    ):
        with pytest.raises(UserError, match=message):
            parse_sources(["record-io", str(tmp_path)], **options)


def test_albums_are_told_and_one_person_with_an_identity_level(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_photos(tmp_path / "set", "Ann/1.jpg", "Ann/2019/2.jpg", "Bob/3.jpg", "Bob/@eaDir/3.jpg/THUMB_M.jpg")
    words = ["image-folder", str(tmp_path / "set")]
    identities = []
    for level in (0, 1):
        caplog.clear()
        sources = parse_sources(words, identity_level=level)
        assert survey_sources(sources) == {"set": {"in a system folder": 1}}
        told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert len(told) == (level == 0)
        assert all("give --identity-level 1" in line for line in told)
        photos, _ = index_photos(str(tmp_path / "root"), sources)
        identities.append({r["key"]: r["identity"] for r in photos.read().to_pylist()})
    assert identities == [
        {"Ann/1.jpg": "Ann", "Ann/2019/2.jpg": "Ann/2019", "Bob/3.jpg": "Bob"},
        {"Ann/1.jpg": "Ann", "Ann/2019/2.jpg": "Ann", "Bob/3.jpg": "Bob"},
    ]
