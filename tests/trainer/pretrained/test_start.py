"""A training that starts from weights begins with the embeddings of the network that they are from."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.errors import UserError
from tests.builders.drawn_pairs import pair_set
from tests.builders.other_iresnets import ArcFaceResNet, ir18, trained
from tests.builders.processes.trainings import SMALL
from trainer import checkpoint
from trainer.data.data_set import count_classes, open_faces
from trainer.loop.first_weights import load_first_weights
from trainer.loop.learner import Learner, make_learner
from trainer.loop.validation import validate
from trainer.pretrained.start import Start
from trainer.run import Run
from trainer.train import train

pytestmark = pytest.mark.slow

RUN = replace(SMALL, backbone="iresnet18", input="3x32x32", embedding=32, steps=2)
FACES = torch.rand(24, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture(scope="module")
def arcface() -> nn.Module:
    return trained(ArcFaceResNet(embedding=32, side=2), FACES)


@pytest.fixture(scope="module")
def ir_se() -> nn.Module:
    return trained(ir18(embedding=32, side=2, excite=True), FACES)


def started(file: Path | str, data: Path, run: Run = RUN, **options: Any) -> Learner:
    faces = open_faces(data)
    learner = make_learner(run, count_classes(faces), torch.device("cpu"), Start(str(file), **options))
    load_first_weights(run, faces, learner)
    return learner


def embeddings(net: nn.Module, x: Tensor = FACES) -> Tensor:
    with torch.inference_mode():
        return nn.functional.normalize(net.eval()(x))


def safetensors(state: dict[str, Tensor], file: Path) -> Path:
    save_file({name: t.contiguous() for name, t in state.items()}, file)
    return file


def torch_file(content: object, file: Path) -> Path:
    torch.save(content, file)
    return file


FILES: dict[str, Callable[[dict[str, Tensor], Path], Path]] = {
    "a state_dict": lambda state, tmp: torch_file(state, tmp / "backbone.pth"),
    "a checkpoint of arcface_torch": lambda state, tmp: torch_file(
        {"epoch": 3, "state_dict_backbone": {f"module.{n}": t for n, t in state.items()}, "state_lr": {"a": 1}},
        tmp / "checkpoint_gpu_0.pt",
    ),
    "safetensors": lambda state, tmp: safetensors(state, tmp / "model.safetensors"),
    "CVLFace": lambda state, tmp: safetensors({f"net.{n}": t for n, t in state.items()}, tmp / "model.safetensors"),
}


@pytest.mark.parametrize("write", FILES.values(), ids=FILES)
def test_weights_of_arcface_torch_give_its_embeddings(
    arcface: nn.Module, data: Path, tmp_path: Path, write: Callable[[dict[str, Tensor], Path], Path]
) -> None:
    learner = started(write(arcface.state_dict(), tmp_path), data)
    torch.testing.assert_close(embeddings(learner.net), embeddings(arcface), atol=1e-5, rtol=0)


@pytest.mark.parametrize("is_adaface", [True, False], ids=["AdaFace", "CVLFace"])
def test_weights_of_ir_networks_give_their_embeddings_and_the_differences_are_told(
    ir_se: nn.Module, data: Path, tmp_path: Path, is_adaface: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """AdaFace takes BGR. The first block's shortcut becomes a convolution, with statistics of the data's faces.

    The network is IR-SE: it has all layers of an IR and squeeze-and-excitation.
    """
    prefix = "model." if is_adaface else "model.net."
    state: dict[str, Tensor] = {f"{prefix}{n}": t for n, t in ir_se.state_dict().items()}
    file = torch_file({"state_dict": state | {"head.kernel": torch.zeros(32, 9)}}, tmp_path / "ir.ckpt")
    with caplog.at_level(logging.INFO, logger="refinery"):
        learner = started(file, data, replace(RUN, backbone="iresnet18_se"))
    expected = embeddings(ir_se, FACES.flip(1) if is_adaface else FACES)
    torch.testing.assert_close(embeddings(learner.net), expected, atol=1e-4, rtol=0)
    (line,) = [r.getMessage() for r in caplog.records]
    assert "the classifier is new; the head's batch norm has no scale" in line
    assert ("BGR" in line) == is_adaface
    assert (learner.net.get_buffer("blocks.1.shortcut.1.running_mean") != 0).any()


@pytest.mark.slow
def test_a_fine_tuned_network_starts_at_its_teachers_figures_and_a_frozen_one_stays(
    arcface: nn.Module, data: Path, tmp_path: Path
) -> None:
    file = torch_file(arcface.state_dict(), tmp_path / "teacher.pth")
    test_sets = {
        "drawn": pair_set(tmp_path / "pairs", [("f0", "f1", True, 0, None, None), ("f0", "f2", False, 0, None, None)])
    }
    start = started(file, data).net.state_dict()
    teachers_figures = validate(arcface, RUN, test_sets)
    frozen = train(
        RUN, data, tmp_path / "frozen", device="cpu", test_sets=test_sets, start=Start(str(file), freeze=True)
    )
    after = checkpoint.load(frozen.checkpoint)
    assert all(torch.equal(start[name], t) for name, t in after.backbone.items())
    assert frozen.tests == teachers_figures
    tuned = train(RUN, data, tmp_path / "tuned", device="cpu", start=Start(str(file), layer_lr=0.5))
    changed = checkpoint.load(tuned.checkpoint).backbone
    assert not any(
        torch.equal(start[n], t) for n, t in changed.items() if n.endswith("weight") and n != "head.features.weight"
    )
    again = train(RUN, data, tmp_path / "tuned", device="cpu", start=Start(str(file), layer_lr=0.5))
    assert again == tuned
    with pytest.raises(UserError, match=r"holds another training .*another start or teacher: layer_lr"):
        train(RUN, data, tmp_path / "tuned", device="cpu", start=Start(str(file)))


def test_each_block_has_a_share_of_the_learning_rate_of_the_next(data: Path) -> None:
    learner = make_learner(SMALL, 8, torch.device("cpu"), Start(layer_lr=0.5))
    factors = [group["lr_factor"] for group in learner.optimizers[0].param_groups]
    assert factors == [0.5**k for k in range(len(learner.net.blocks), -1, -1)]
    parameters = sum(len(group["params"]) for group in learner.optimizers[0].param_groups)
    assert parameters == len(list(learner.net.parameters()))


def test_a_checkpoint_gives_its_backbone_and_the_classifier_of_identities_of_the_same_name(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = replace(SMALL, steps=1)
    first = train(run, data, tmp_path / "first", device="cpu")
    saved = checkpoint.load(first.checkpoint)
    assert saved.names == tuple(f"p{i}" for i in range(8))
    renamed = tmp_path / "renamed.pt"
    names = ("p3", "someone else", *saved.names[2:])
    checkpoint.save(renamed, replace(saved, names=names, data="other data"))
    with caplog.at_level(logging.INFO, logger="refinery"):
        learner = started(renamed, data, run)
    assert "the classifier of 6 identities of 8 is loaded" in caplog.text
    assert all(torch.equal(t, saved.backbone[name]) for name, t in learner.net.state_dict().items())
    rows, random = learner.objective.fc.all_rows(), make_learner(run, 8, torch.device("cpu")).objective.fc.all_rows()
    weight = saved.objective["weight"]
    assert torch.equal(rows[2:], weight[2:])
    assert torch.equal(rows[:2], random[:2]), "nobody in the file has the name p0 or p1"
    new = started(renamed, data, run, new_classifier=True)
    assert torch.equal(new.objective.fc.all_rows(), random)


def test_a_finished_training_goes_on_with_more_steps(data: Path, tmp_path: Path) -> None:
    run = replace(SMALL, steps=2, schedule="constant", warmup=0)
    whole = train(replace(run, steps=4), data, tmp_path / "whole", device="cpu")
    train(run, data, tmp_path / "out", device="cpu")
    longer = train(replace(run, steps=4), data, tmp_path / "out", device="cpu")
    expected = checkpoint.load(whole.checkpoint).backbone
    assert all(torch.equal(expected[name], t) for name, t in checkpoint.load(longer.checkpoint).backbone.items())
    assert longer.steps == 4
    with pytest.raises(UserError, match="steps 4 and 3"):
        train(replace(run, steps=3), data, tmp_path / "out", device="cpu")


class Other:
    """An object that a restricted unpickler does not make."""


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "objects": (lambda file: torch.save({"model": Other()}, file), "holds objects that are no tensors"),
    "a web page": (lambda file: file.write_text("<html>"), "is damaged, or holds objects|not a file of weights"),
    "no tensors": (lambda file: torch.save({"epoch": 3}, file), "holds no weights by name"),
    "another network": (lambda file: torch.save(nn.Linear(2, 2).state_dict(), file), "holds no IResNet, MBF or ViT"),
    "another embedding": (
        lambda file: torch.save(ArcFaceResNet(embedding=16, side=2).state_dict(), file),
        "holds iresnet18 with an embedding of 16, the training has iresnet18 with 32: give --backbone iresnet18",
    ),
    "another side": (
        lambda file: torch.save(ArcFaceResNet(embedding=32, side=3).state_dict(), file),
        "does not fit the backbone .1 weights, such as head.fc.weight",
    ),
    "nan": (
        lambda file: torch.save(
            {
                n: t * torch.nan if n == "fc.bias" else t
                for n, t in ArcFaceResNet(embedding=32, side=2).state_dict().items()
            },
            file,
        ),
        "weights that are not finite",
    ),
    "a text": (lambda file: file.write_text("export HOME=/tmp\n"), "is not a file of weights, or is damaged"),
}


@pytest.mark.parametrize(("write", "message"), BAD.values(), ids=BAD)
def test_a_file_that_does_not_fit_raises_one_line(
    data: Path, tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    write(tmp_path / "weights.pth")
    with pytest.raises(UserError, match=message) as raised:
        started(tmp_path / "weights.pth", data)
    assert "\n" not in str(raised.value)


def test_options_that_need_a_file_or_are_out_of_range_raise_one_line(data: Path, tmp_path: Path) -> None:
    for options, message in (
        ({"freeze": True}, "give --init"),
        ({"new_classifier": True}, "give --init"),
        ({"layer_lr": 0.0}, "layer_lr 0.0: expected more than 0"),
        ({"layer_lr": float("nan")}, "layer_lr nan: expected more than 0"),
    ):
        with pytest.raises(UserError, match=message):
            Start(**options)
    with pytest.raises(UserError, match=r"there is no .*nothing\.pth"):
        started(tmp_path / "nothing.pth", data)
    with pytest.raises(UserError, match="loss triplet has no weights to train beside a frozen backbone"):
        make_learner(replace(RUN, loss="triplet"), 8, torch.device("cpu"), Start("x.pth", freeze=True))
