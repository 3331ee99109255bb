"""The photo stages are measured beside bare decoding; no rate is asserted."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.benchmark.host.flow import HostRates, host
from flows.benchmark.host.stages import Feeding, feed
from flows.benchmark.host.steps import step_times
from flows.benchmark.speed.varied_photos import write_scaled_photos
from pipeline.errors import UserError

PHOTOS = 10


@pytest.fixture
def photos(tmp_path: Path) -> str:
    random = np.random.default_rng(0)
    for i in range(PHOTOS):
        folder = tmp_path / "photos" / str(i % 2)
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{i}.jpg"), random.integers(0, 256, (90, 80, 3), np.uint8))
    return str(tmp_path / "photos")


def test_all_photos_are_fed(photos: str) -> None:
    fed = feed("image-folder", photos, 1, False, 0.0)
    assert (fed.kind, fed.n, fed.photos, fed.bare_photos) == ("threads", 1, PHOTOS, 2 * PHOTOS)
    assert 0 < fed.bare_cpu_seconds < fed.cpu_seconds


def test_photos_are_scaled_first(photos: str, tmp_path: Path) -> None:
    scaled = write_scaled_photos("image-folder", photos, tmp_path / "scaled", 180)
    files = sorted(scaled.rglob("*.jpg"))
    assert {cv2.imread(str(file)).shape for file in files} == {(180, 160, 3)}
    assert sorted(int(file.stem) for file in files) == list(range(PHOTOS))
    assert len({file.parent for file in files}) == 2  # identities
    (tmp_path / "none/a").mkdir(parents=True)
    (tmp_path / "none/a/broken.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"no photo in .* can be read"):
        write_scaled_photos("image-folder", str(tmp_path / "none"), tmp_path / "nothing", 180)


def test_each_step_has_its_time(photos: str) -> None:
    steps = step_times("image-folder", photos, 4)
    assert len(steps) == 9
    assert min(steps.values()) > 0
    assert next(iter(steps)) == "bare decoding of the files"


def test_the_table_says_what_a_core_prepares_beside_bare_decoding() -> None:
    feedings = [
        Feeding("threads", 1, 100, 2.0, 1.0, 50, 0.5, 0.25),
        Feeding("threads", 2, 100, 1.0, 1.0, 50, 0.5, 0.25),
        Feeding("processes", 2, 100, 4.0, 0.8, 50, 0.5, 0.25),
    ]
    rates = HostRates(feedings, {"bare decoding of the files": 30.0, "decode": 40.0, "cut": 20.0}, 0.0)
    assert [row["growth"] for row in rates.rows()] == ["1.00", "2.00", "1.00"]
    assert rates.rows()[0] | {"share": "50%"} == rates.rows()[0]
    assert [row["photos/s and core"] for row in rates.rows()] == ["100", "100", "125"]
    assert rates.lines()[-1].split() == ["all", "steps", "but", "bare", "decoding", "60"]


def test_what_cannot_be_measured_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--at-once 0"):
        host("image-folder", str(tmp_path), at_once=[0])
    with pytest.raises(UserError, match="--side -1"):
        host("image-folder", str(tmp_path), side=-1)
    (tmp_path / "a").mkdir()
    cv2.imwrite(str(tmp_path / "a/1.png"), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(UserError, match="none of the photos is a JPEG"):
        feed("image-folder", str(tmp_path), 1, False, 0.0)
