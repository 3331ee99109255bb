"""Labels in a list beside folders of photos: told where they disagree with the folders, and only there."""

import json
from pathlib import Path

import pytest

from pipeline.sources.files import FolderOptions
from pipeline.sources.formats import image_folder
from pipeline.sources.formats.lists_beside import lists_of
from tests.builders.file_trees import put_files

PHOTOS = {f"{person}/{i}.jpg": b"x" for person in ("Ann", "Bob", "Cy/2019") for i in range(4)}


def told(folder: Path, lines: list[str], *, name: str = "labels.txt", level: int = 0) -> list[str]:
    put_files(folder, {**PHOTOS, name: "\n".join(lines).encode()})
    warnings = image_folder.survey(folder, options=FolderOptions(identity_level=level)).warnings
    return [line for line in warnings if name in line]


def test_a_list_that_says_what_the_folders_say_is_not_told(tmp_path: Path) -> None:
    numbers = {"Ann": 0, "Bob": 1, "Cy": 2}
    assert told(tmp_path / "a", [f"{path} {numbers[path.split('/')[0]]}" for path in PHOTOS]) == []
    assert told(tmp_path / "b", [f"/data/set/{path}\t{path[0]}" for path in PHOTOS], level=1) == []


@pytest.mark.parametrize(
    ("label", "apart"),
    [
        (lambda path, i: "Ann" if path == "Bob/1.jpg" else path[0], 1),
        (lambda path, i: "all", 8),
        (lambda path, i: i % 2, 8),
    ],
    ids=["one photo", "one label for all", "two labels in each folder"],
)
def test_photos_with_other_labels_are_counted(tmp_path: Path, label, apart: int) -> None:
    (line,) = told(tmp_path, [f"{path} {label(path, i)}" for i, path in enumerate(PHOTOS)])
    assert f"labels.txt gives {apart} of 12 photos other labels than their folders do: the folders are used" in line
    assert f"give photo-list {tmp_path / 'labels.txt'}" in line


def test_scores_captions_pairs_and_boxes_are_no_labels(tmp_path: Path) -> None:
    assert told(tmp_path / "a", [f"{path} 0.{i}7" for i, path in enumerate(PHOTOS)]) == []
    assert told(tmp_path / "b", [f"{path} Bob/1.jpg" for path in PHOTOS]) == []
    assert told(tmp_path / "c", ["NAME_ID,X,Y,W,H", "Ann/1.jpg,1,2,3,4"], name="loose_bb_train.csv") == []
    assert told(tmp_path / "d", ["nothing"]) == []


def test_a_list_above_a_folder_is_found_where_it_names_its_photos(tmp_path: Path) -> None:
    put_files(tmp_path, {"images/1.jpg": b"x", "other/9.jpg": b"x", "a.txt": b"images/1.jpg 0\n"})
    put_files(tmp_path, {"b.txt": b"9.jpg 0\n"})
    assert lists_of((tmp_path / "images").resolve()) == [tmp_path.resolve() / "a.txt"]


def test_a_list_in_a_part_of_the_data_is_told(tmp_path: Path) -> None:
    """As the metadata.jsonl of Hugging Face's imagefolder, which lies in train/ with the photos."""
    lines = [json.dumps({"file_name": f"{i}.jpg", "label": f"person {i // 2}"}) for i in range(12)]
    put_files(tmp_path / "in", {f"train/{i}.jpg": b"x" for i in range(12)})
    put_files(tmp_path / "in", {"train/metadata.jsonl": "\n".join(lines).encode()})
    warnings = image_folder.survey(tmp_path / "in", options=FolderOptions()).warnings
    assert any("train/metadata.jsonl gives 10 of 12 photos other labels" in line for line in warnings)
