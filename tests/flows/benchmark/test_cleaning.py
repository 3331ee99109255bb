"""Cleaning without a pretrained model on a small drawn world: every way gives its line, and a second call finds all."""

import logging
from pathlib import Path

import pytest

from flows.benchmark.cleaning import cleaning
from flows.train.self_training import self_train
from pipeline.errors import UserError
from pipeline.sample.models import DETECTOR
from pipeline.sample.world import draw_world
from trainer import checkpoint

pytestmark = pytest.mark.slow
STEPS = {"steps": 12, "batch": 16, "settings": ["embedding=32"]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "world"
    draw_world(folder, people=6, photos=42, seed=5)
    return folder


def test_every_way_is_scored_and_found_the_second_time(
    world: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = str(tmp_path / "root")
    first = cleaning(root, world, self_training_rounds=1, device="cpu", **STEPS)
    lines = {w["cleaned by"]: w for w in first.rows()}
    ways = ["nothing", "the pipeline", "self-training", "self-training", "sub-centres", "sub-centres"]
    assert [name.split(",")[0] for name in lines] == ways
    assert (lines["nothing"]["F1"], lines["nothing"]["lost"]) == ("0.000", "0.0%")
    assert float(lines["the pipeline, shipped model"]["F1"]) > 0.3
    with caplog.at_level(logging.INFO, logger="refinery"):
        assert cleaning(root, world, self_training_rounds=1, device="cpu", **STEPS) == first
    assert "shards made" not in caplog.text
    assert "step 1 of" not in caplog.text


def test_round_0_with_sub_centres_and_every_later_one_without(world: Path, tmp_path: Path) -> None:
    given = {
        "rounds": 2,
        "stop_share": 0.0,
        "sub_centres": True,
        "device": "cpu",
        **STEPS,
        "steps": 40,
        "first_share": 1.0,
    }
    made = self_train.fn(str(tmp_path), ["image-folder", str(world / "photos")], str(DETECTOR), "sample", **given)
    classifiers = [checkpoint.load(Path(r.model).with_name("last.pt")).objective["weight"].ndim for r in made.rounds]
    assert classifiers == [3, 2]


def test_round_0_is_shorter_and_one_that_leaves_nothing_is_told(world: Path, tmp_path: Path) -> None:
    source = ["image-folder", str(world / "photos")]
    with pytest.raises(UserError, match=r"no photo is left to learn from: give more --steps"):
        self_train.fn(str(tmp_path), source, str(DETECTOR), "sample", rounds=2, stop_share=0.0, **STEPS)
    (first,) = (tmp_path / "bootstrap").iterdir()
    assert checkpoint.load(first / "last.pt").run.steps == 4
    with pytest.raises(UserError, match="--first-share 0: give more than 0"):
        self_train.fn(str(tmp_path), source, str(DETECTOR), "sample", first_share=0)


def test_sub_centres_of_a_loss_that_has_none_are_refused_before_any_work(world: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="loss triplet has no sub-centres"):
        self_train.fn(
            str(tmp_path),
            ["image-folder", str(world / "photos")],
            str(DETECTOR),
            "sample",
            loss="triplet",
            sub_centres=True,
        )
    assert not list(tmp_path.iterdir())
