"""The detector's ONNX file: insightface and the pipeline read the network's predictions from it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from insightface.model_zoo import get_model

from pipeline.faces.detect import OnnxDetector, detector_kind
from trainer.sample_detector.network import Network, anchors, decode, to_onnx
from trainer.sample_detector.train import to_input


@pytest.fixture(scope="module")
def net() -> Network:
    torch.manual_seed(1)
    network = Network().train()
    for p in network.heads.parameters():  # with its initial weights it predicts the same at every anchor
        torch.nn.init.normal_(p, 0, 0.3)
    for _ in range(3):
        network(torch.randn(2, 3, 96, 96))
    return network.eval()


@pytest.fixture(scope="module")
def path(net: Network, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("detector") / "detector.onnx"
    to_onnx(net, file)
    return str(file)


def test_insightface_reads_the_same_faces(net: Network, path: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (128, 96, 3), dtype=np.uint8)
    theirs = get_model(path, providers=["CPUExecutionProvider"])
    assert type(theirs).__name__ == "SCRFD"
    theirs.prepare(ctx_id=-1)
    theirs.nms_thresh = 1.0  # all anchors, none suppressed
    boxes, landmarks = theirs.detect(picture, input_size=(96, 128), det_thresh=0.0)
    with torch.no_grad():
        predicted = decode(net(to_input(picture[None])), 128, 96)
    order = np.argsort(-boxes[:, 4])
    best = predicted.logits[0].argsort(descending=True).numpy()
    assert len(boxes) == len(best) == 2 * (16 * 12 + 8 * 6 + 4 * 3)
    np.testing.assert_allclose(boxes[order, 4], predicted.logits[0].sigmoid().numpy()[best], atol=1e-5)
    np.testing.assert_allclose(boxes[order, :4], predicted.boxes[0].numpy()[best], atol=0.05)
    np.testing.assert_allclose(landmarks[order], predicted.landmarks[0].numpy()[best], atol=0.05)


def test_the_pipeline_reads_it_as_scrfd_of_any_size(net: Network, path: str) -> None:
    assert detector_kind(path) == ("scrfd", None)
    side = 192  # of which the pipeline fills up nothing
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    faces = OnnxDetector(path, min_score=0.01)(picture)
    with torch.no_grad():
        predicted = decode(net(to_input(picture[None])), side, side)
    best = int(predicted.logits[0].argmax())
    np.testing.assert_allclose(faces.boxes[0], predicted.boxes[0, best], atol=0.05)
    np.testing.assert_allclose(faces.landmarks[0], predicted.landmarks[0, best], atol=0.05)


def test_the_file_is_small_enough_to_be_part_of_the_package(path: str) -> None:
    assert Path(path).stat().st_size < 2.5e6


def test_anchors_by_hand() -> None:
    squares, strides = anchors(32, 64)
    assert len(squares) == 2 * (4 * 8 + 2 * 4 + 1 * 2)
    assert squares[:3].tolist() == [[0, 0, 16], [0, 0, 32], [8, 0, 16]]
    assert squares[2 * 8].tolist() == [0, 8, 16]
    assert squares[-1].tolist() == [32, 0, 512]
    assert strides[[0, 64, -1]].tolist() == [8, 16, 32]


def test_at_the_start_a_box_is_its_anchor() -> None:
    torch.manual_seed(0)
    net = Network().eval()
    for head in net.heads:
        torch.nn.init.zeros_(head[-1].layer.weight)
    with torch.no_grad():
        predicted = decode(net(torch.zeros(1, 3, 64, 64)), 64, 64)
    squares, _ = anchors(64, 64)
    expected = torch.cat([squares[:, :2] - squares[:, 2:] / 2, squares[:, :2] + squares[:, 2:] / 2], 1)
    torch.testing.assert_close(predicted.boxes[0], expected)
    torch.testing.assert_close(predicted.landmarks[0], squares[:, None, :2].expand(-1, 5, 2))
    assert predicted.logits.sigmoid().mean() == pytest.approx(0.01, rel=0.01)
