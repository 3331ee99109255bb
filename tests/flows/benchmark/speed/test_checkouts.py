"""Two versions refine the same photos in turn, each with its own code; no rate is asserted."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.benchmark.speed import upgrade
from flows.benchmark.speed.checkouts import Cost, check_checkout, run_in_turn, speedup
from flows.benchmark.speed.upgrade import WARM_UP_PHOTOS, UpgradeRates
from pipeline.errors import UserError

MODELS = {"detector": "d.onnx", "embedder": "e.onnx"}
MAIN = """
import sys, time
from pathlib import Path

def main():
    assert sys.argv[0] == "refinery"
    with open("log.txt", "a") as stream:
        print(Path(__file__).parents[2].name, *sys.argv[1:], file=stream)
    while time.process_time() < {seconds}:
        pass
    if {fails}:
        sys.exit("the disk is full")
"""


def checkout(folder: Path, *, seconds: float = 0.0, fails: bool = False) -> Path:
    """A checkout whose command line adds its name and its words to log.txt."""
    (folder / "flows/cli").mkdir(parents=True)
    (folder / "flows/cli/app.py").write_text(MAIN.format(seconds=seconds, fails=fails))
    return folder


def test_both_refine_the_same_photos_in_turn_by_their_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = checkout(tmp_path / "ours"), checkout(tmp_path / "theirs", seconds=0.3)
    photos = tmp_path / "theirs/photos"
    for i in range(3):
        (photos / str(i)).mkdir(parents=True)
        cv2.imwrite(str(photos / f"{i}/a.jpg"), np.full((20, 20, 3), 80 * i, np.uint8))
    monkeypatch.setattr(upgrade, "THIS", ours)
    monkeypatch.chdir(theirs)  # the modules of the current folder are not imported
    rates = upgrade.upgrade(theirs, "image-folder", "photos", **MODELS, workers="2", turns=2)
    runs = [line.split() for line in Path("log.txt").read_text().splitlines()]
    assert [run[0] for run in runs] == [*("theirs", "ours"), *("theirs", "ours"), *("ours", "theirs")]
    assert [run[5:] for run in runs] == [["--detector", "d.onnx", "--embedder", "e.onnx", "--workers", "2"]] * 6
    assert [run[4] == str(photos) for run in runs] == [False, False, True, True, True, True]
    assert len({run[2] for run in runs}) == 6  # a new root for each
    assert not any(Path(run[2]).parent.exists() for run in runs)
    assert rates.photos == [3] != [WARM_UP_PHOTOS]
    for fast, slow in zip(rates.ours[0], rates.theirs[0], strict=True):
        assert 0 < fast.cpu_s < slow.cpu_s
        assert slow.cpu_s >= 0.3


def test_the_table_has_medians_and_speed_ups() -> None:
    ours, theirs = ([Cost(seconds, cpu) for seconds in (1.0, 2.0, 4.0)] for cpu in (1.0, 1.5))
    (row,) = UpgradeRates("before", [100], [ours], [theirs]).rows()
    assert (row["photos/s"], row["of the other"], row["speed-up"]) == ("50.0", "50.0", "1.00 [1.00, 1.00]")
    assert (row["CPU ms a photo"], row["CPU speed-up"]) == ("10.00", "1.50 [1.50, 1.50]")


def test_one_turn_has_no_interval(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--turns 1: give 2 or more"):
        upgrade.upgrade(tmp_path, "image-folder", "photos", **MODELS, turns=1)


def test_the_speed_up_is_a_mean_of_ratios_with_a_t_interval() -> None:
    value, low, high = speedup([1.0, 1.0], [1.0, 4.0])  # logarithms 0 and log 4: t with one degree of freedom is 12.71
    assert value == pytest.approx(2)
    assert high == pytest.approx(math.exp(math.log(2) + 12.706 * math.log(2)), rel=1e-3)
    assert low == pytest.approx(4 / high)


def test_what_cannot_be_compared_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"is no checkout of refinery \(it has no flows/cli/app.py\)"):
        check_checkout(tmp_path)
    broken = checkout(tmp_path / "broken", fails=True)
    with pytest.raises(UserError, match=r"`refinery refine` of .*broken ended with status 1: the disk is full"):
        run_in_turn((broken, broken), lambda _folder: ["refine"], 1, done=lambda: None)
