"""ONNX files as weights to start from: networks of this package and of others, exported, and published files."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from tests.builders.other_iresnets import ir18, trained
from tests.builders.processes.trainings import SMALL
from trainer.backbones import make_backbone
from trainer.data.data_set import open_faces
from trainer.export import export_graph
from trainer.loop.first_weights import load_first_weights
from trainer.loop.learner import Learner, make_learner
from trainer.pretrained.measured_norms import measure_norms
from trainer.pretrained.start import Start
from trainer.run import Run

pytestmark = pytest.mark.slow

SIZE = 32
FACES = torch.rand(24, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1
RUN = replace(SMALL, backbone="iresnet18", input=f"3x{SIZE}x{SIZE}", embedding=32)


class Pixels(nn.Module):
    """A network that takes pixels of 0..255 and normalises them itself, as InsightFace's ONNX files do."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - 127.5) * 0.0078125)  # by 128, not by 127.5


def iresnet18() -> nn.Module:
    return make_backbone("iresnet18", embedding=32, size=SIZE)


def mobilefacenet() -> nn.Module:
    return make_backbone("mobilefacenet", embedding=32, size=SIZE)


MOBILE = replace(RUN, backbone="mobilefacenet")


def exported(net: nn.Module, file: Path, *, is_raw: bool = False) -> Path:
    example = FACES[:2] * 127.5 + 127.5 if is_raw else FACES[:2]
    axes = {"data": {0: "n"}, "embedding": {0: "n"}}
    export_graph(
        Pixels(net).eval() if is_raw else net, example, file, inputs=["data"], outputs=["embedding"], dynamic_axes=axes
    )
    return file


def started(file: Path, data: Path, run: Run) -> Learner:
    learner = make_learner(run, 8, torch.device("cpu"), Start(str(file)))
    load_first_weights(run, open_faces(data), learner)
    return learner


def embeddings(net: nn.Module, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return nn.functional.normalize(net(x))


@pytest.mark.parametrize(
    ("run", "make", "is_raw"),
    [
        pytest.param(RUN, iresnet18, False, marks=pytest.mark.slow),
        (MOBILE, mobilefacenet, False),
        (MOBILE, mobilefacenet, True),
        (replace(RUN, backbone="sample"), lambda: make_backbone("sample", embedding=32, size=SIZE), False),
    ],
)
def test_an_exported_network_gives_its_embeddings_also_while_training(
    data: Path, tmp_path: Path, run: Run, make: Callable[[], nn.Module], is_raw: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The exporter multiplied batch norms into convolutions; their statistics are measured on faces of the data."""
    net = trained(make(), FACES)
    with caplog.at_level(logging.INFO, logger="refinery"):
        learner = started(exported(net, tmp_path / "net.onnx", is_raw=is_raw), data, run)
    assert "batch norms that the file lacks were measured on" in caplog.text
    scaled = FACES * 127.5 / 128 if is_raw else FACES
    expected = embeddings(net, scaled)
    learner.net.eval()
    assert (embeddings(learner.net, FACES) * expected).sum(1).min() > 0.9999


@pytest.mark.slow
def test_the_branches_of_a_block_may_be_computed_in_either_order(data: Path, tmp_path: Path) -> None:
    """CVLFace's blocks compute the shortcut first; IR-18's first shortcut has no weights, and copies."""

    class ShortcutFirst(nn.Module):
        def __init__(self, block: nn.Module) -> None:
            super().__init__()
            self.block = block

        def forward(self, x: Tensor) -> Tensor:
            return self.block.shortcut(x) + self.block.residual(x)

    net = trained(iresnet18(), FACES)
    blocks = nn.ModuleList([net.blocks[0], *(ShortcutFirst(b) for b in net.blocks[1:])])
    expected = embeddings(net, FACES)
    net.blocks = blocks
    learner = started(exported(net, tmp_path / "net.onnx"), data, RUN)
    assert (embeddings(learner.net.eval(), FACES) * expected).sum(1).min() > 0.9999
    ir = trained(ir18(embedding=32, side=2), FACES)
    learner = started(exported(ir, tmp_path / "ir.onnx"), data, RUN)
    assert (embeddings(learner.net.eval(), FACES) * embeddings(ir, FACES)).sum(1).min() > 0.9999


def test_a_file_of_the_same_layers_that_computes_something_else_is_refused(data: Path, tmp_path: Path) -> None:
    file = exported(trained(mobilefacenet(), FACES), tmp_path / "net.onnx")
    model = onnx.load(file)
    addition = next(node for node in model.graph.node if node.op_type == "Add")
    addition.op_type = "Sub"
    onnx.save(model, file)
    with pytest.raises(UserError, match=r"gives other embeddings than mobilefacenet with its weights \(a cosine of"):
        started(file, data, MOBILE)
    with pytest.raises(UserError, match=r"has other layers than this backbone \(.*expected a conv of"):
        started(file, data, replace(RUN, backbone="sphere20"))
    file.write_bytes(b"no model")
    with pytest.raises(UserError, match="is not an ONNX model"):
        started(file, data, RUN)


def test_measured_norms_change_no_embedding_and_train_as_they_evaluate() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.PReLU(5), nn.Conv2d(5, 4, 3), nn.BatchNorm2d(4)
    ).eval()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(2)))
        expected = net(FACES)
        assert (net.train()(FACES) - expected).abs().max() > 0.1
        for i in (1, 4):
            net[i].reset_running_stats()
        measure_norms(net, ("1", "4"), FACES)
        torch.testing.assert_close(net(FACES), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(net.train()(FACES), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.material
@pytest.mark.parametrize("name", ["ms1m", "casia"])
def test_published_mobilefacenets_are_loaded(material: Path, data: Path, name: str) -> None:
    run = replace(RUN, backbone="mobilefacenet", embedding=128, input="3x112x112")
    file = material / f"models/arcface_mobilefacenet_{name}.onnx"
    learner = make_learner(run, 8, torch.device("cpu"), Start(str(file)))
    load_first_weights(run, open_faces(data), learner)  # which raises an error below a cosine of 0.9999
    means = [t for n, t in learner.net.state_dict().items() if n.endswith("running_mean")]
    assert all(t.any() for t in means)
