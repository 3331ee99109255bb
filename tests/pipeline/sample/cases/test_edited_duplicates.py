"""Edits of a photo, and a data set with edited duplicates: which photos come again, where, and with which truth."""

import csv

import cv2
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sample.cases.edited_duplicates import plant_edited_duplicates, read_planted
from pipeline.sample.cases.picture_edits import EDITS, Original, jpeg
from tests.builders.tables.drawn_vectors import picture

HEAD = ("path", "claimed", "person", "kind", "of")
TRUTH = [
    ("a/1.jpg", "a", "Ann", "clean", "Ann/1"),
    ("a/2.jpg", "a", "Ann", "clean", "Ann/2"),
    ("a/3.jpg", "a", "Ann", "duplicate", "a/2.jpg"),
    ("b/1.jpg", "b", "Ann", "clean", "Ann/3"),
    ("c/1.jpg", "c", "Cem", "clean", "Cem/1"),
    ("c/2.jpg", "c", "Ann", "flip", "Ann/4"),
]
IDENTITIES = [("claimed", "persons"), ("a", "Ann"), ("b", "Ann"), ("c", "Cem")]


def decoded(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.fixture
def original():
    pixels = picture(0)
    return Original(jpeg(pixels, 95), pixels, (30.0, 25.0, 80.0, 90.0))


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_another_file_of_nearly_the_same_picture(original, name):
    edited = EDITS[name](original, np.random.default_rng(0))
    assert edited == EDITS[name](original, np.random.default_rng(0))
    assert edited != original.data
    pixels = decoded(edited)
    assert min(pixels.shape[:2]) >= 38
    assert pixels.std() > 10


def test_some_edits_by_hand(original):
    rng = np.random.default_rng(0)
    assert (decoded(EDITS["exif"](original, rng)) == decoded(original.data)).all()
    mirrored = decoded(EDITS["mirrored"](original, rng)).astype(int)
    assert np.abs(mirrored - original.pixels[:, ::-1]).mean() < 8
    assert np.ptp(decoded(EDITS["grey"](original, rng)).astype(int), axis=2).max() <= 2
    assert decoded(EDITS["darkened"](original, rng)).mean() < 0.6 * original.pixels.mean()
    tight = decoded(EDITS["tight-crop"](original, rng)).shape
    assert tight[0] < 80
    assert tight[1] < 65


@pytest.fixture
def folder(tmp_path):
    for number, (path, *_) in enumerate(TRUTH):
        file = tmp_path / "in" / "photos" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(picture(number)))
    for name, rows in (("truth.tsv", [HEAD, *TRUTH]), ("identities.tsv", IDENTITIES)):
        (tmp_path / "in" / name).write_text("".join("\t".join(row) + "\n" for row in rows))
    return tmp_path / "in"


def test_duplicates_are_planted_with_their_truth(folder, tmp_path):
    planted = plant_edited_duplicates(folder, tmp_path / "out", each=2, edits=["mirrored", "grey"])
    assert read_planted(tmp_path / "out") == planted
    # photos that come twice already, and wrong ones, are not used: a/1, b/1 and c/1 are left, each once before a second
    assert {p.of for p in planted[:3]} == {"a/1.jpg", "b/1.jpg", "c/1.jpg"}
    by_original = {p.of: p for p in planted[:3]}
    assert by_original["a/1.jpg"].path.startswith("b/a-1-")  # Ann's next identity
    assert by_original["b/1.jpg"].path.startswith("a/b-1-")
    assert by_original["c/1.jpg"].path.startswith("c/c-1-")
    assert [by_original[f"{name}/1.jpg"].other_identity for name in "abc"] == [True, True, False]
    with (tmp_path / "out" / "truth.tsv").open() as stream:
        truth = list(csv.DictReader(stream, delimiter="\t"))
    assert [tuple(row.values()) for row in truth[: len(TRUTH)]] == TRUTH
    persons = {row[0]: row[2] for row in TRUTH}
    expected = [(p.path, p.path[0], persons[p.of], "duplicate", p.of) for p in planted]
    assert [tuple(row.values()) for row in truth[len(TRUTH) :]] == expected
    for row in truth:
        assert (tmp_path / "out" / "photos" / row["path"]).stat().st_size > 500
    assert (tmp_path / "out" / "identities.tsv").read_bytes() == (folder / "identities.tsv").read_bytes()
    again = plant_edited_duplicates(folder, tmp_path / "again", each=2, edits=["mirrored", "grey"])
    assert again == planted


def test_an_original_without_a_face_is_left_out(folder, tmp_path):
    assert plant_edited_duplicates(folder, tmp_path / "out", each=2, find_face=lambda _: None) == []


def test_mistakes_are_one_clear_line(folder, tmp_path):
    with pytest.raises(UserError, match="not empty"):
        plant_edited_duplicates(folder, folder)
    with pytest.raises(UserError, match="give a folder with photos"):
        plant_edited_duplicates(tmp_path / "nothing", tmp_path / "out")
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "truth.tsv").write_text("\t".join(HEAD) + "\nx/1.jpg\tx\tX\toutlier\t\n")
    with pytest.raises(UserError, match="no clean photo"):
        plant_edited_duplicates(wrong, tmp_path / "out")
