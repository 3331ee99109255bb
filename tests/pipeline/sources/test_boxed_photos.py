"""A box of a list is that of one photo: a listed path that fits several is refused, and sought only where it may be."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources import boxed_photos
from pipeline.sources.index import Source, index_photos
from tests.builders.file_trees import put_files


def boxed(tmp_path: Path, keys: list[str], rows: str) -> dict[str, float | None]:
    """The left side of each photo's box."""
    put_files(tmp_path / "in", dict.fromkeys(keys, b"x"))
    (tmp_path / "boxes.csv").write_text(f"path,x,y,w,h\n{rows}")
    source = Source("in", "image-folder", str(tmp_path / "in"), boxes=(str(tmp_path / "boxes.csv"),))
    photos = index_photos(str(tmp_path / "root"), [source])[0].read(["key", "box"]).to_pylist()
    return {row["key"]: row["box"] and row["box"][0] for row in photos}


def test_a_path_that_fits_whole_and_by_its_end_is_refused_each_time(tmp_path: Path) -> None:
    for _ in range(2):  # the second time the index is there already
        with pytest.raises(
            UserError, match=r"one box to photos of several folders, such as 'a/1\.jpg' and 'z/a/1\.jpg'"
        ):
            boxed(tmp_path, ["z/a/1.jpg", "a/1.jpg"], "z/a/1.jpg,1,1,9,9\n")


def test_equal_boxes_of_different_lines_are_no_guess(tmp_path: Path) -> None:
    rows = "z/a/1.jpg,1,1,9,9\na/1.jpg,1,1,9,9\nb/1.jpg,1,1,9,9\n"
    assert boxed(tmp_path, ["z/a/1.jpg", "a/1.jpg", "b/1.jpg", "b/2.jpg"], rows) == {
        "z/a/1.jpg": 1,
        "a/1.jpg": 1,
        "b/1.jpg": 1,
        "b/2.jpg": None,
    }


def test_where_all_boxes_differ_no_list_is_read_for_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxed_photos, "read_boxes", lambda _: pytest.fail("the list is read"))
    keys = ["a/1.jpg", "b/1.jpg", "b/2.jpg"]
    assert boxed(tmp_path, keys, "a/1.jpg,1,1,9,9\nb/1.jpg,2,1,9,9\nb/2.jpg,1,2,9,9\n") == {
        "a/1.jpg": 1,
        "b/1.jpg": 2,
        "b/2.jpg": 1,
    }
