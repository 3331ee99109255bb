"""Training from the command line: every loss by its name, and what a user can get wrong told in one line."""

from pathlib import Path

import numpy as np
import pytest

from flows.benchmark import training
from tests.builders.photos import exported_faces
from tests.builders.processes import trainings
from tests.builders.processes.command_line import Command, error_line
from trainer.losses.objective import LOSSES

SMALL = ("--input", "3x56x56", "--batch", "24", "--steps", "40", "--embedding", "32", "--every", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported_faces.parquet(tmp_path_factory.mktemp("data") / "export", 8, 12)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_the_sample_recipe_by_its_name(
    refinery: Command, data: Path, tmp_path: Path, loss: str
) -> None:
    status, _, err = refinery("train", "sample", "--data", data, "--out", tmp_path / "out", "--loss", loss, *SMALL)
    assert status == 0, err
    found = trainings.losses(tmp_path / "out")
    assert len(found) == 40
    assert np.mean(found[-8:]) < 0.8 * np.mean(found[:8])
    assert (tmp_path / "out/model.onnx").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("r5000",), "no recipe is called r5000: give one of sample, casia_r50"),
        (("sample", "--lr", "fast"), "lr 'fast': expected a number"),
        (("sample", "--backbone", "vgg"), "vgg"),
        (("sample", "--loss", "arcfase"), "arcfase"),
        (("sample", "--loss", "arcface:m9=1"), "m9"),
        (("sample", "--data", "nowhere"), "there is no nowhere: give a folder that `refinery export` wrote"),
        (("sample", "--device", "cuda:77"), "no device cuda:77 here"),
        (("sample", "--batch", "4", "--accumulate", "3"), "accumulate 3: expected a divisor of batch (4)"),
    ],
)
def test_a_mistake_is_one_line(
    refinery: Command, data: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    given = words if "--data" in words else (*words, "--data", str(data))
    assert message in error_line(refinery("train", *given, "--out", tmp_path / "out"))


def test_the_loop_is_measured_beside_the_bare_network(data: Path) -> None:
    found = training.train(data, ["sample"], batch=8, turns=1, device="cpu")
    (row,) = found.networks
    assert row["share"] == f"{row['loop images/s'] / row['bare images/s']:.1%}"
    assert row["memory MB"] > row["model MB"] > 0
