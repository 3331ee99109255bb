"""Teachers: their features are those of the file, and a network that learns from one comes nearer to it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from tests.builders.other_iresnets import ArcFaceResNet
from tests.builders.processes.trainings import RUN
from trainer import checkpoint
from trainer.data.data_set import open_faces
from trainer.loop.first_weights import sample_faces
from trainer.loop.learner import make_learner
from trainer.pretrained.start import Start
from trainer.pretrained.teacher import Teaching, load_teacher
from trainer.safetensors_file import save_backbone
from trainer.train import TrainingResult, train

CPU = torch.device("cpu")
STUDENT = replace(RUN, steps=5, lr=0.01, warmup=1, schedule="constant", embedding=16, seed=5)


def cosines(a: Tensor, b: Tensor) -> Tensor:
    return nn.functional.cosine_similarity(a, b)


@pytest.mark.slow
def test_every_kind_of_file_gives_its_networks_features(trained: TrainingResult, data: Path, tmp_path: Path) -> None:
    faces = sample_faces(RUN, open_faces(data))
    with torch.no_grad():
        net, run = checkpoint.load_backbone(trained.checkpoint)
        expected = net(faces)
    save_backbone(net, run, tmp_path / "model.safetensors")
    for file in (trained.checkpoint, trained.onnx, tmp_path / "model.safetensors"):
        teacher = load_teacher(str(file), RUN, CPU)
        assert teacher.dim == 32
        actual = teacher.features(faces)
        assert not actual.requires_grad
        torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)
    other = ArcFaceResNet(embedding=8, side=2).eval()
    torch.save(other.state_dict(), tmp_path / "other.pth")
    small = faces[:, :, :32, :32]
    teacher = load_teacher(str(tmp_path / "other.pth"), replace(RUN, input="3x32x32"), CPU)
    torch.testing.assert_close(teacher.features(small), other(small).detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_student_comes_nearer_to_its_teacher_and_continues_after_a_stop(
    trained: TrainingResult, data: Path, tmp_path: Path
) -> None:
    """Its features are shorter than the teacher's, so the checkpoint holds the matrix between them."""
    teaching = Teaching(str(trained.onnx), "feature")
    faces = sample_faces(RUN, open_faces(data))
    taught = load_teacher(str(trained.onnx), RUN, CPU).features(faces)
    train(replace(STUDENT, steps=2), data, tmp_path / "out", device="cpu", teaching=teaching)
    result = train(STUDENT, data, tmp_path / "out", device="cpu", teaching=teaching)
    whole = train(STUDENT, data, tmp_path / "whole", device="cpu", teaching=teaching)
    saved, at_once = checkpoint.load(result.checkpoint), checkpoint.load(whole.checkpoint)
    for mine, theirs in ((saved.backbone, at_once.backbone), (saved.objective, at_once.objective)):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(t, theirs[name]) for name, t in mine.items())
    matrix = saved.objective["teacher_map"]
    model = saved.without_optimizer().objective
    assert {name for name in saved.objective if "." in name and "teacher_map" in name}
    assert {"weight", "teacher_map"} <= model.keys()
    assert not [name for name in model if "." in name], "no momentum of the classifier or the matrix"
    first = make_learner(STUDENT, 8, CPU, teaching=teaching)
    assert first.objective.distillation is not None
    before = first.objective.distillation.matrix
    assert before is not None
    with torch.no_grad():
        start = first.net(faces) @ before.T
        # the statistics of so few batches are not yet those of faces, so the norms take those of these faces
        end = checkpoint.load_backbone(result.checkpoint)[0].train()(faces) @ matrix.T
    assert cosines(end, taught).mean() > cosines(start, taught).mean() + 0.2
    with pytest.raises(UserError, match=r"or teacher: distillation; .*teacher: teacher"):
        train(STUDENT, data, tmp_path / "out", device="cpu")


def test_a_teacher_that_does_not_fit_raises_one_line(trained: TrainingResult, tmp_path: Path) -> None:
    small = replace(RUN, input="3x48x48")
    for file, message in (
        (trained.checkpoint, "takes faces of 3x112x112, the run 3x48x48"),
        (trained.onnx, "does not take faces of 3x48x48"),
    ):
        with pytest.raises(UserError, match=message) as raised:
            load_teacher(str(file), small, CPU)
        assert "\n" not in str(raised.value)
    saved = checkpoint.load(trained.checkpoint)
    broken = {n: t * torch.nan if n == "head.fc.bias" else t for n, t in saved.backbone.items()}
    checkpoint.save(tmp_path / "nan.pt", replace(saved, backbone=broken))
    with pytest.raises(UserError, match="gives vectors that are not finite"):
        load_teacher(str(tmp_path / "nan.pt"), RUN, CPU)
    with pytest.raises(UserError, match="give --teacher FILE"):
        Teaching(loss="cosine")
    with pytest.raises(UserError, match="expected cosine or feature"):
        Teaching("teacher.onnx", "angle")
    with pytest.raises(UserError, match="a frozen backbone cannot learn from a teacher"):
        make_learner(RUN, 8, CPU, Start("x.pth", freeze=True), Teaching("teacher.onnx"))
