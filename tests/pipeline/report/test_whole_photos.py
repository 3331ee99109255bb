"""Whole photos in a report: every known face has a box, that of the face in force is amber; the bytes are limited."""

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.refine.several_faces.choice import MainFaces, build_candidates
from flows.refine.tables import build_faces, build_photos
from pipeline.refinement import FormerTables, Refinement, RefineOptions
from pipeline.report.face_sides import Side
from pipeline.report.finding_cards import finding_section
from pipeline.report.gallery import Gallery, GalleryEntry
from pipeline.report.photos.shown_photos import ShownPhoto
from pipeline.report.photos.whole_photos import CUT_BGR, OTHER_BGR, photo_script, whole_photos
from pipeline.sources.index import Source
from tests.builders.photos.tile_photos import TileDetector, write_tile_photos
from tests.builders.tables.partial_refinement import publish_partial


@pytest.fixture
def refinement(tmp_path: Path) -> Refinement:
    """Two photos: one of three people, one of a single person."""
    write_tile_photos(tmp_path / "photos", {"a/one.png": [(0, 90)], "a/three.png": [(1, 100), (0, 90), (2, 80)]})
    root, source = str(tmp_path / "root"), [Source("photos", "image-folder", str(tmp_path / "photos"))]
    photos, locations = build_photos(root, source, shards=1)
    faces = build_faces(root, photos, locations, TileDetector(), aligned=False)
    main = MainFaces(photos, faces, [])
    candidates = build_candidates(root, main, locations, TileDetector(), former=FormerTables(None, None))
    options = RefineOptions(sources={name: (at.kind, at.path) for name, at in locations.items()})
    return publish_partial(root, photos=photos, faces=faces, main_faces=faces, candidates=candidates, options=options)


def ids(refinement: Refinement) -> list[str]:
    """The face_id of one.png and of three.png."""
    return refinement.photos.read(["face_id"])["face_id"].to_pylist()


def boxes(address: str, colour: tuple[int, int, int]) -> int:
    """How many boxes of a colour a picture has."""
    data = np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR).astype(int)
    near = (np.abs(picture - np.array(colour)).max(2) < 60).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((5, 5))))
    return sum(w > 40 and h > 40 for _, _, w, h, _ in stats[1:].tolist())


def test_every_face_has_a_box_and_the_one_that_was_cut_out_another_colour(refinement: Refinement) -> None:
    one, three = ids(refinement)
    shown = whole_photos(refinement, [three, one, three], max_bytes=1_000_000)
    assert list(shown) == [three, one]
    assert [(boxes(shown[f], CUT_BGR), boxes(shown[f], OTHER_BGR)) for f in (one, three)] == [(1, 0), (1, 2)]
    script = photo_script(shown)
    assert json.loads(script.partition(">")[2].rpartition("<")[0]) == shown


def test_the_page_holds_the_photos_where_there_are_some() -> None:
    photos = {"f": ShownPhoto("s", "k", "")}
    entry = GalleryEntry("outlier", "yes", "the policy", ("a",), "", 0.9, (Side("a face", ("f",)),))
    gallery = Gallery([entry], {("outlier", "yes"): 1}, [], 0.0, {"f": "data:,"}, photos, {})
    assert "whole-photos" not in finding_section(gallery)
    page = finding_section(gallery._replace(whole_photos={"f": "data:image/jpeg;base64,AA=="}))
    assert '<script type="application/json" id="whole-photos">{"f":"data:image/jpeg;base64,AA=="}</script>' in page
    assert 'data-face="f"' in page


def test_the_bytes_are_limited_and_a_photo_that_is_gone_is_not_shown(refinement: Refinement, tmp_path: Path) -> None:
    one, three = ids(refinement)
    both = whole_photos(refinement, [one, three], max_bytes=1_000_000)
    assert list(whole_photos(refinement, [one, three], max_bytes=sum(map(len, both.values())) - 1)) == [one]
    assert whole_photos(refinement, [one, three], max_bytes=0) == {}
    (tmp_path / "photos/a/one.png").unlink()
    assert list(whole_photos(refinement, [one, three], max_bytes=1_000_000)) == [three]
