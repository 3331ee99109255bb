"""What is told about layouts in which folders are not identities."""

import pytest

from pipeline.sources.formats.folder_warnings import layout_warnings

PEOPLE = [f"person {i}" for i in range(12)]


@pytest.mark.parametrize(
    "photos",
    [
        dict.fromkeys(PEOPLE, 4),
        {f"{part}/{person}": 4 for part in ("train", "val") for person in PEOPLE},
        {f"data/{person}": 4 for person in PEOPLE},
        {"": 3, "Ann": 5, "Bob": 2},
        {"Ann": 50, "Bob": 2},
        {},
    ],
)
def test_nothing_is_said_about_folders_of_people(photos: dict[str, int]) -> None:
    assert layout_warnings(photos) == []


@pytest.mark.parametrize(
    ("photos", "level"),
    [
        ({"Ann": 2, "Ann/party": 2, "Bob": 3}, 1),
        ({f"{person}/{album}": 3 for person in PEOPLE[:2] for album in ("2019", "2020")}, 1),
        ({f"{person}/{person} in {year}": 3 for person in PEOPLE[:4] for year in (2019, 2020)}, 1),
        ({f"set/{person}/{album}": 3 for person in PEOPLE for album in ("frontal", "profile")}, 2),
    ],
    ids=["beside", "same names", "own names", "a level down"],
)
def test_albums_inside_a_person_are_told_with_the_level_to_give(photos: dict[str, int], level: int) -> None:
    (line,) = layout_warnings(photos)
    assert "identity of its own" in line
    assert line.endswith(f"give --identity-level {level}")


@pytest.mark.parametrize("photos", [{"images": 12}, {"0": 4}, {"data/images": 30, "Ann": 2}])
def test_a_whole_folder_taken_as_one_identity_is_told(photos: dict[str, int]) -> None:
    (line,) = layout_warnings(photos)
    assert "taken as one identity" in line
    assert "put each person's photos in a folder of their own" in line


def test_tens_of_thousands_of_folders_are_judged() -> None:
    """Comparing every folder with every other one would take an hour."""
    photos = {f"person {i}/album": 3 for i in range(30_000)} | {"person 29999/another": 3}
    assert "give --identity-level 1" in "".join(layout_warnings(photos))
