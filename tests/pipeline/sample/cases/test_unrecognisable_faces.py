"""Unrecognisable faces planted in a data set: how many, where, how spoiled, and with which truth."""

from collections import Counter

import cv2
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.faces.quality import sharpness
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.sample.cases.unrecognisable_faces import LIST_FILE, WAYS, plant_unrecognisable_faces
from tests.builders.photos.encoded_pictures import textured

PHOTO = textured(120, 100)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of six identities with five photos each, and its truth."""
    folder = tmp_path_factory.mktemp("data")
    lines = ["path\tclaimed\tperson\tkind\tof"]
    for i in range(6):
        (folder / "photos" / f"m{i}").mkdir(parents=True)
        for k in range(5):
            cv2.imwrite(str(folder / "photos" / f"m{i}" / f"{k}.png"), np.roll(PHOTO, 5 * i + k, axis=0))
            lines.append(f"m{i}/{k}.png\tm{i}\tperson{i}\tclean\t")
    (folder / "truth.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_photos_are_added_and_are_outliers_who_show_nobody(data, tmp_path):
    counts = plant_unrecognisable_faces(data, tmp_path / "out", identities=3, each=4, crowd=5, seed=1)
    assert counts == {"thumbnail": 3 + 2 * 5, "blurred": 3, "helmet": 3, "back of head": 3}
    truth = read_truth(tmp_path / "out")
    planted = [i for i, key in enumerate(truth.keys) if "unrecognisable" in key]
    assert len(truth.keys) == 30 + len(planted)
    assert {(truth.kind[i], truth.person[i]) for i in planted} == {("outlier", "")}
    assert sorted(Counter(truth.claimed[i] for i in planted).values()) == [4, 4, 4, 5, 5]
    for i in planted:
        assert cv2.imread(str(tmp_path / "out" / "photos" / truth.keys[i])).shape == PHOTO.shape
    listed = (tmp_path / "out" / LIST_FILE).read_text().splitlines()
    assert len(listed) == 1 + len(planted)
    assert sum(line.endswith("\tthumbnail\t1") for line in listed) == 2 * 5


def test_the_same_seed_plants_the_same_bytes(data, tmp_path):
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        plant_unrecognisable_faces(data, tmp_path / out, identities=2, each=2, crowd=1, seed=seed)
    files = {
        out: {p.relative_to(tmp_path / out).as_posix(): p.read_bytes() for p in (tmp_path / out).rglob("*.*")}
        for out in "abc"
    }
    assert files["a"] == files["b"] != files["c"]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_hides_the_face_and_leaves_the_photo_as_it_is(way):
    photo = PHOTO.copy()
    spoiled = WAYS[way](photo, np.random.default_rng(0), face=0.6)
    assert np.array_equal(photo, PHOTO)
    middle = (slice(45, 60), slice(40, 60))  # of the face, with the eyes
    assert sharpness(np.ascontiguousarray(spoiled[middle])) < 0.4 * sharpness(np.ascontiguousarray(PHOTO[middle]))


def test_mistakes_are_one_line(data, tmp_path):
    with pytest.raises(UserError, match="exists: give a folder that is not there yet"):
        plant_unrecognisable_faces(data, data)
    with pytest.raises(UserError, match="has 6 identities and 30 photos of faces: expected at least 38 and 420"):
        plant_unrecognisable_faces(data, tmp_path / "out")
    with pytest.raises(UserError, match=r"cannot read .*truth\.tsv"):
        plant_unrecognisable_faces(tmp_path, tmp_path / "out")
