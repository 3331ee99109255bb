"""Training from the command line: every kind of loss by its name; mistakes are one-line errors."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from flows.benchmark import training
from tests.builders.photos import exported_faces
from tests.builders.processes import trainings
from tests.builders.processes.command_line import Command, error_line
from trainer.run import Run

SMALL = ("--set", "input=3x56x56", "--set", "embedding=32", "--batch", "24", "--steps", "24", "--log-every", "1")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported_faces.parquet(tmp_path_factory.mktemp("data") / "export", 8, 12)


# one for each kind of head and each kind of term; that every loss is lowered is tested with a linear network
KINDS = ("softmax", "arcface", "a_softmax", "subcenter", "magface", "adaface", "curricularface", "triplet")
TERMS = ("softmax+centre", "norm_softmax+intra+inter", "arcface+focal+ohem")


@pytest.mark.slow
@pytest.mark.parametrize("loss", [*KINDS, *TERMS])
def test_every_kind_of_loss_trains_the_sample_recipe_by_its_name(
    refinery: Command, data: Path, tmp_path: Path, loss: str
) -> None:
    status, _, err = refinery("train", data, "--out", tmp_path / "out", "--loss", loss, "--device", "cpu", *SMALL)
    assert status == 0, err
    step_losses = trainings.losses(tmp_path / "out")
    assert len(step_losses) == 24
    assert np.mean(step_losses[-5:]) < 0.9 * np.mean(step_losses[:5])
    assert (tmp_path / "out/model.onnx").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--recipe", "r5000"), "no recipe is called r5000: give one of sample, casia_r50"),
        (("--set", "dropout=some"), "dropout 'some': expected a number"),
        (("--set", "speed=1"), "a run has no field speed: it has backbone"),
        (("--set", "dropout"), "--set dropout: give FIELD=VALUE"),
        (("--set", "lr=1"), "--set lr=1: lr is an option of its own, give --lr 1"),
        (("--backbone", "vgg"), "vgg"),
        (("--loss", "arcfase"), "arcfase"),
        (("--loss", "arcface:m9=1"), "m9"),
        (("--device", "cuda:77"), "no device cuda:77 here"),
        (("--distill", "cosine"), "distillation 'cosine' needs a network to learn from: give --teacher FILE"),
        (("--teacher", "nothing.pt"), "there is no nothing.pt: give a file of weights"),
        (("--teacher", "nothing.onnx"), "nothing.onnx is not an ONNX model"),
        (("--set", "mask=0.6", "--set", "occlusion=0.5"), "mask and occlusion (0.6, 0.5): expected a sum less than 1"),
        (("--batch", "4", "--set", "accumulate=3"), "accumulate 3: expected a divisor of batch (4)"),
    ],
)
def test_a_mistake_is_one_line(
    refinery: Command, data: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    assert message in error_line(refinery("train", data, *words, "--out", tmp_path / "out"))


def test_a_path_that_is_no_data_set_is_one_line(refinery: Command, tmp_path: Path) -> None:
    line = error_line(refinery("train", "nowhere", "--out", tmp_path / "out"))
    assert "there is no nowhere: give a folder that `refinery export` wrote" in line
    assert "give DATA, a folder that `refinery export` wrote, and --out" in error_line(refinery("train"))


def test_all_fields_are_listed_with_the_values_of_a_recipe(refinery: Command) -> None:
    status, out, _ = refinery("train", "--recipe", "casia_r50", "--set", "dropout=0.2", "--fields")
    assert status == 0
    rows = {line.split()[0]: line.split()[1] for line in out.splitlines() if line.strip()}
    assert set(rows) >= {f.name for f in fields(Run)}
    assert (rows["steps"], rows["dropout"]) == ("32000", "0.2")


def test_the_loop_is_measured_beside_the_bare_network(data: Path) -> None:
    rates = training.train(data, ["sample"], batch=8, turns=1, device="cpu")
    (row,) = rates.networks
    assert row["share"] == f"{row['loop images/s'] / row['bare images/s']:.1%}"
    assert row["memory MB"] > row["model MB"] > 0
