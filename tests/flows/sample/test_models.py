"""The command that trains the sample world's models: refine accepts both, and a second run finds them."""

from pathlib import Path

import pytest

from flows.sample.models import models, world
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import OnnxEmbedder
from pipeline.sample.models import DETECTOR, EMBEDDER


@pytest.mark.slow
def test_the_command_makes_a_detector_and_an_embedder(tmp_path: Path) -> None:
    """After so few updates the detector finds few faces, so the shipped detector is used in its place."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "detector.onnx").write_bytes(DETECTOR.read_bytes())
    model_files = models(out, embedder_people=4, photos_each=6, steps=3, batch=8)
    assert [line.split(":")[0] for line in model_files.lines()] == [
        str(out / "detector.onnx"),
        str(out / "embedder.onnx"),
    ]
    assert OnnxEmbedder(str(out / "embedder.onnx")).dim == OnnxEmbedder(str(EMBEDDER)).dim
    before = (out / "embedder.onnx").read_bytes()
    assert models(out, embedder_people=4, photos_each=6, steps=3, batch=8) == model_files
    assert (out / "embedder.onnx").read_bytes() == before


@pytest.mark.slow
def test_a_detector_of_a_few_updates_is_a_detector(tmp_path: Path) -> None:
    from flows.sample.models import _train_detector

    _train_detector(tmp_path / "detector.onnx", people=1, steps=2)
    assert OnnxDetector(str(tmp_path / "detector.onnx")).named_by[1] != OnnxDetector(str(DETECTOR)).named_by[1]


@pytest.mark.slow
def test_the_command_draws_a_world_and_prints_its_account(tmp_path: Path) -> None:
    lines = world(tmp_path / "world", people=2, photos=12, clean=True).lines()
    assert "12 photos" in lines[0]
    assert len(list((tmp_path / "world/photos").rglob("*.jpg"))) == 12
