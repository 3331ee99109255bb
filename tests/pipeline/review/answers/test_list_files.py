"""The ways in which lines of published lists are read, and which photos of the data they name."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.review.answers.list_files import SAYS, Line, Reading, read_lists
from pipeline.review.answers.listed_photos import ListedPhotos, identity_finder


def lines(tmp_path: Path, *texts: str, says: str = "right", classes: list[str] | None = None) -> list[Line]:
    (tmp_path / "list.txt").write_text("\n".join(texts))
    (tmp_path / "classes.txt").write_text("\n".join(classes or []))
    return read_lists([tmp_path / "list.txt"], says=says, classes=tmp_path / "classes.txt" if classes else None)


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("m.1\tm.1/3-FaceId-0.jpg", Reading("m.1/3-FaceId-0.jpg", "m.1")),
        ("Anna Bell/1 2.jpg\tCarl Dorn", Reading("Anna Bell/1 2.jpg", "Carl Dorn")),
        ("Anna Bell/1.jpg 7", Reading("Anna Bell/1.jpg", "7")),
        ("m.1\\3.jpg m.2", Reading("m.1\\3.jpg", "m.2")),
        ("1\t/data/m.1/3.jpg\t12", Reading("/data/m.1/3.jpg", "12")),
        ("1\tm.1/3.jpg\t12\t1.5\t-2\t30\t40", Reading("m.1/3.jpg", "12")),
        ("811\t12.000000\tm.1/3.jpg", Reading("m.1/3.jpg", "12")),
        ("811 12 m.1/3.jpg", Reading("m.1/3.jpg", "12")),
    ],
)
def test_a_photo_and_its_identity_are_read_from_either_side(tmp_path: Path, text: str, reading: Reading) -> None:
    (line,) = lines(tmp_path, text)
    assert line.readings == (reading,)


@pytest.mark.parametrize(
    ("text", "says", "readings"),
    [
        ("Anna Bell/1.jpg", "right", [("Anna Bell/1.jpg", None), ("Bell/1.jpg", "Anna")]),
        (
            "Ann B Ann B/1.jpg",
            "wrong",
            [("Ann B Ann B/1.jpg", None), ("B Ann B/1.jpg", "Ann"), ("Ann B/1.jpg", "Ann B")],
        ),
        ("0/m.02_f_1-FaceId-0.jpg 0", "right", [("0/m.02_f_1-FaceId-0.jpg", "0"), ("m.02_f/1-FaceId-0.jpg", None)]),
        ("12 Monkeys/1.jpg 5", "right", [("Monkeys/1.jpg", "5"), ("12 Monkeys/1.jpg", "5")]),
        ("a b c", "same", [("a", "b c"), ("a b", "c")]),
        ("a b\tc", "same", [("a b", "c")]),
        ("a b", "go", [("a b", None)]),
    ],
)
def test_a_line_that_can_be_read_in_several_ways_has_all_of_them(
    tmp_path: Path, text: str, says: str, readings: list[tuple[str, str | None]]
) -> None:
    (line,) = lines(tmp_path, text, says=says)
    assert list(line.readings) == readings


def test_a_csv_may_have_a_header_and_quoted_names(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text('photo,label\n"Bell, Anna/1.jpg",Anna Bell\nB/2.jpg,B\n', encoding="utf-16")
    read = read_lists([tmp_path / "list.csv"], says="right")
    assert [line.readings for line in read] == [(("Bell, Anna/1.jpg", "Anna Bell"),), (("B/2.jpg", "B"),)]


WORDS = ["a/b.jpg", "m.1", "7", "0.5", "\\", "/", " ", "\t", "\r", "\n", ",", '"', "é", "#"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(st.sampled_from(WORDS)),
    name=st.sampled_from(["list.txt", "list.csv"]),
    encoding=st.sampled_from(["utf-8-sig", "utf-16"]),
    says=st.sampled_from(SAYS),
)
def test_any_text_is_names_or_an_error_of_one_line(
    tmp_path: Path, text: list[str], name: str, encoding: str, says: str
) -> None:
    (tmp_path / name).write_bytes("".join(text).encode(encoding))
    try:
        read = read_lists([tmp_path / name], says=says)
    except UserError as error:
        message = str(error)
    else:
        message = ""
        check_readings(read, says)
    assert "\n" not in message


def check_readings(read: list[Line], says: str) -> None:
    listed = [reading for line in read for reading in line.readings]
    assert listed
    assert all(r.name.strip() and r.other != "" and (says == "same") <= (r.other is not None) for r in listed)
    assert len(ListedPhotos(read, ["a/b.jpg", "m.1/7"]).match.readings) <= len(listed)


def test_class_numbers_become_identities(tmp_path: Path) -> None:
    read = lines(tmp_path, "m.1/1.jpg 1", "0/2.jpg", "1\t1/3.jpg\t0", classes=["m.0", "m.1"])
    assert [line.readings[-1] for line in read] == [("m.1/1.jpg", "m.1"), ("m.0/2.jpg", None), ("m.1/3.jpg", "m.0")]


KEYS = [
    "train/Ann/1.jpg",
    "val/Ann/1.jpg",
    "val/Ann/1.png",
    "Anna Bell/1.jpg",
    "Bell/1.jpg",
    "Zoe\u0308/1.jpg",
    "m.1/3-FaceId-0",
    "m.1/3-FaceId-1",
    "m.1/4",
    "m.1/4-FaceId-0",
]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Ann/1.png", ["val/Ann/1.png"]),
        ("val/Ann/1.jpg", ["val/Ann/1.jpg"]),
        ("train\\Ann\\1.jpeg", ["train/Ann/1.jpg"]),
        ("/home/me/set/train/Ann/1.jpg", ["train/Ann/1.jpg"]),
        ("./Ann/1.jpg", ["train/Ann/1.jpg", "val/Ann/1.jpg"]),
        ("Anna Bell/1.jpg", ["Anna Bell/1.jpg"]),
        ("Anna_Bell/1", ["Anna Bell/1.jpg"]),
        ("Bell/1.jpg", ["Bell/1.jpg"]),
        ("Zoë/1.JPG", ["Zoe\u0308/1.jpg"]),
        ("./m.1/3.jpg", ["m.1/3-FaceId-0", "m.1/3-FaceId-1"]),
        ("0/m.1_3-FaceId-1.jpg 0", ["m.1/3-FaceId-1"]),
        ("m.1/4.jpg", ["m.1/4"]),
        ("m.1/5.jpg", []),
    ],
)
def test_a_line_names_the_photos_that_agree_with_it_best(tmp_path: Path, text: str, named: list[str]) -> None:
    listed = ListedPhotos(lines(tmp_path, text), KEYS)
    assert [key for key in KEYS if listed.reading_of(key)] == named
    assert len(listed.match.unknown) == (not named)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Aaron_Eckhart_136.png", ["images/Aaron Eckhart/Aaron Eckhart_136.jpeg"]),
        ("Aaron Eckhart_136.png", ["images/Aaron Eckhart/Aaron Eckhart_136.jpeg"]),
        ("000001.jpg 2880", ["000001.jpg"]),
        ("0001.jpg", []),
        ("137.png", []),
    ],
)
def test_a_photo_without_a_folder_names_the_only_one_of_its_name(tmp_path: Path, text: str, named: list[str]) -> None:
    keys = ["images/Aaron Eckhart/Aaron Eckhart_136.jpeg", "000001.jpg", "Ann/0001.jpg", "Bob/0001.jpg"]
    listed = ListedPhotos(lines(tmp_path, text), keys)
    assert [key for key in keys if listed.reading_of(key)] == named
    assert len(listed.match.unknown) == (not named)


def test_identities_are_found_by_other_spellings() -> None:
    find = identity_finder(["Anna Bell", "Anna_Bell", "Zoe\u0308", "a/b"])
    names = ["Anna Bell", "Anna_Bell", "Zoë", "a\\b", "Anna"]
    assert [find(name) for name in names] == ["Anna Bell", "Anna_Bell", "Zoe\u0308", "a/b", None]
