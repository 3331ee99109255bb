"""The picture of a face for annotators: the face enlarged, and beside it the photo with a box around the face."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.refine.flow import refine
from pipeline.refinement import latest
from pipeline.review.pages.photo_views import FACE_PX, read_face_views
from pipeline.sample.drawing.portraits import draw_people
from pipeline.sample.models import DETECTOR, EMBEDDER

LARGE_PX = 300


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("pictures")
    for number, drawing in enumerate(draw_people(2, 3, seed=4)):
        folder = out / "photos" / f"m.{number // 3}"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number}.png"), drawing.photo)
    root = str(out / "root")
    refine.fn(root, ["image-folder", str(out / "photos")], detector=str(DETECTOR), embedder=str(EMBEDDER))
    return out / "photos", latest(root)


def face_pictures(refinement, faces):
    return read_face_views(refinement, faces).pictures(faces, large_px=LARGE_PX)


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_a_face_stands_left_and_its_photo_with_an_amber_box_beside_it(drawn):
    _, refinement = drawn
    rows = refinement.faces.read(["face_id", "jpeg"]).to_pylist()
    pictures = face_pictures(refinement, [r["face_id"] for r in rows])
    assert set(pictures) == {r["face_id"] for r in rows if r["jpeg"]}
    for row in rows:
        shown = decoded(pictures[row["face_id"]].view)
        assert shown.shape[0] == FACE_PX
        assert shown.shape[1] > FACE_PX * 1.5
        face = cv2.resize(decoded(row["jpeg"]), (FACE_PX, FACE_PX))
        assert np.abs(shown[:, :FACE_PX].astype(int) - face).mean() < 6
        blue, green, red = (shown[:, FACE_PX:, c].astype(int) for c in range(3))
        assert ((red > 220) & (abs(green - 200) < 40) & (blue < 110)).sum() > 100


def test_the_photo_is_also_there_large_with_a_box_and_not_larger_than_it_is(drawn):
    photos, refinement = drawn
    row = refinement.photos.read(["face_id", "key"]).to_pylist()[0]
    original = cv2.imread(str(photos / row["key"]))
    for large_px, longest in ((LARGE_PX, LARGE_PX), (10_000, max(original.shape))):
        shown = read_face_views(refinement, [row["face_id"]]).pictures([row["face_id"]], large_px=large_px)
        large = decoded(shown[row["face_id"]].large)
        assert max(large.shape) == longest
        assert large.shape[0] / large.shape[1] == pytest.approx(original.shape[0] / original.shape[1], abs=0.01)
        blue, green, red = (large[..., c].astype(int) for c in range(3))
        assert ((red > 220) & (abs(green - 200) < 40) & (blue < 110)).sum() > 100


def test_a_photo_that_is_gone_leaves_the_face(drawn):
    photos, refinement = drawn
    row = refinement.photos.read(["face_id", "key"]).to_pylist()[0]
    for path in (photos / row["key"], Path(photos)):  # its file, and its whole source
        kept = path.rename(path.with_suffix(".away"))
        try:
            view = face_pictures(refinement, [row["face_id"]])[row["face_id"]]
            assert decoded(view.view).shape == (FACE_PX, FACE_PX, 3)
            assert view.large is None
        finally:
            kept.rename(path)


def test_there_are_pictures_of_the_requested_faces_only(drawn):
    assert face_pictures(drawn[1], []) == {}
    assert face_pictures(drawn[1], ["nobody"]) == {}


def test_no_photo_is_read_for_a_face_that_is_shown_alone(drawn, monkeypatch):
    row = drawn[1].photos.read(["face_id"]).to_pylist()[0]
    monkeypatch.setattr("pipeline.review.pages.photo_views.read_photo", lambda *_: pytest.fail("it is not shown"))
    shown = read_face_views(drawn[1], [row["face_id"]]).pictures([], [row["face_id"]], large_px=LARGE_PX)
    assert decoded(shown[row["face_id"]].view).shape == (FACE_PX, FACE_PX, 3)
    assert shown[row["face_id"]].large is None
