"""ONNX export: insightface and the pipeline compute the network's embeddings from the file; else no file is written."""

from pathlib import Path

import insightface.model_zoo
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.faces.embed import OnnxEmbedder, embedder_format
from trainer.backbones import make_backbone
from trainer.export import open_session, to_onnx

pytestmark = pytest.mark.slow


def network_with_statistics(name: str, **shape: int) -> nn.Module:
    """A network in training mode whose batch norms have updated their running statistics on a few batches."""
    torch.manual_seed(3)
    net = make_backbone(name, **shape).train()
    for _ in range(3):
        net(torch.randn(4, shape.get("channels", 3), shape.get("size", 112), shape.get("size", 112)) * 0.5)
    return net


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("iresnet18_se", "vit_t")]


@pytest.mark.parametrize("name", ["sample", "mobilefacenet_large", *SLOW])
def test_the_pipeline_and_insightface_compute_the_networks_embeddings(name: str, tmp_path: Path) -> None:
    net = network_with_statistics(name, embedding=48)
    path = tmp_path / "new" / "model.onnx"
    assert to_onnx(net, path, channels=3, size=112) > 0.9999
    assert net.training
    assert [p.name for p in path.parent.iterdir()] == ["model.onnx"]

    faces = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    x = torch.from_numpy(np.ascontiguousarray(faces[..., ::-1].transpose(0, 3, 1, 2))).float()
    with torch.no_grad():
        expected = net.eval()((x - 127.5) / 127.5).numpy()
    assert embedder_format(str(path)) == (True, False, None, 48)
    np.testing.assert_allclose(OnnxEmbedder(str(path))(faces), expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())
    theirs = insightface.model_zoo.get_model(str(path), providers=["CPUExecutionProvider"])
    assert type(theirs).__name__ == "ArcFaceONNX"
    assert (theirs.input_mean, theirs.input_std) == (127.5, 127.5)
    np.testing.assert_allclose(theirs.get_feat(list(faces)), expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_grey_faces_of_another_size(tmp_path: Path) -> None:
    net = network_with_statistics("greyface", channels=1, size=48)
    assert to_onnx(net, tmp_path / "m.onnx", channels=1, size=48) > 0.9999
    network = open_session(tmp_path / "m.onnx")
    for n in (1, 7):
        assert network.run(None, {"data": np.zeros((n, 1, 48, 48), np.float32)})[0].shape == (n, 512)


class Drifting(nn.Module):
    """A network whose output differs from call to call, which no graph reproduces."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x.flatten(1)[:, :8].roll(self.calls, 1)


def test_a_file_that_differs_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("earlier file")
    with pytest.raises(UserError, match=r"differ from the network's \(smallest cosine .*m.onnx was not written"):
        to_onnx(Drifting(), tmp_path / "m.onnx", channels=3, size=32)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("m.onnx", "earlier file")]


def test_a_network_whose_embeddings_are_nan_is_not_exported(tmp_path: Path) -> None:
    net = make_backbone("sample", embedding=8)
    nn.init.constant_(net.head.fc.bias, float("nan"))
    with pytest.raises(UserError, match="cosine nan"):
        to_onnx(net, tmp_path / "m.onnx", channels=3, size=112)


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file/m.onnx \("):
        to_onnx(make_backbone("sample", embedding=8), tmp_path / "file" / "m.onnx", channels=3, size=112)


def test_exporting_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    to_onnx(make_backbone("sample", embedding=8), tmp_path / "m.onnx", channels=3, size=112)
    assert capfd.readouterr() == ("", "")
