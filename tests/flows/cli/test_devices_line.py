"""A run says first where its models run, and warns of a card left unused; a device asked for is not replaced."""

import logging
from pathlib import Path
from typing import Any

import pytest

from flows.cli import devices_line
from flows.cli.devices_line import REFINES, TRAINING, TRAINS, announced
from pipeline.errors import UserError
from pipeline.faces.accelerator import devices, providers
from pipeline.faces.accelerator.devices import device_choice
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.processes.command_line import Command

WRONG_CUDA = "onnxruntime cannot load its cuda libraries (libcudnn.so.9 is not there): run `make EXTRA=gpu install`"


def announce(*uses: str, **how: Any) -> None:
    with announced(uses, **how):
        pass


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.DEVICE, raising=False)


def machine(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, onnxruntime: str = "", faiss: bool = True, torch: bool = True
) -> None:
    """A machine with two cards, on which these libraries can use them."""
    for card, model in (("0000:1b:00.0", "NVIDIA H200"), ("0000:43:00.0", "NVIDIA T4")):
        (folder / card).mkdir(parents=True)
        (folder / card / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 16\n")
    monkeypatch.setattr(devices_line, "CARDS", folder)
    monkeypatch.setattr(devices, "DRIVER", folder)
    monkeypatch.setattr(providers, "card_problem", lambda kind, card=0: onnxruntime)
    monkeypatch.setattr("pipeline.noise.search.neighbours.gpu_count", lambda: int(faiss))
    monkeypatch.setattr("trainer.embedder.card_is_usable", lambda: torch)


def test_one_line_says_where_each_use_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="refinery")
    machine(monkeypatch, tmp_path)
    announce(*TRAINS)
    with device_choice("cpu"):
        announce("detection")
    with device_choice("tensorrt:1"):
        announce(*REFINES, checkpoints=True)
    announce(TRAINING, train_on="cuda:1")
    with device_choice("cpu"):
        announce(TRAINING)
    with monkeypatch.context() as environment:
        environment.setenv("RANK", "1")  # the first rank says it
        announce(TRAINING)
        environment.delenv("RANK")
        environment.setenv("CUDA_VISIBLE_DEVICES", "1")  # the driver counts other cards than CUDA
        announce("detection")
    card, engines = "NVIDIA T4", "engines that are not in the cache take minutes to build"
    assert caplog.messages == [
        "detection, embedding, search and training on cuda:0 (NVIDIA H200)",
        "detection on the processor",
        f"detection on tensorrt:1 ({card}; {engines}); embedding on cuda:1 ({card}); search on cuda:0 (NVIDIA H200)",
        "training on cuda:1 (NVIDIA T4)",
        "training on the processor",
        "detection on cuda:0",
    ]


def test_it_is_the_first_line_of_the_log_and_none_of_a_run_that_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="refinery")
    machine(monkeypatch, tmp_path, faiss=False)
    with pytest.raises(UserError, match="no photos"), announced(REFINES):
        raise UserError("no photos")
    assert caplog.messages == []
    with announced(REFINES):
        logging.getLogger("refinery").warning("two photos are links")
        logging.getLogger("refinery").warning("one photo is damaged")
    assert caplog.messages[0].startswith("detection and embedding on cuda:0")
    assert caplog.messages[1].startswith("there is an NVIDIA card")
    assert caplog.messages[2:] == ["two photos are links", "one photo is damaged"]


def test_a_card_that_is_not_used_is_one_warning_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    machine(monkeypatch, tmp_path, onnxruntime=WRONG_CUDA, faiss=False)
    announce(*TRAINS)
    (warning,) = (r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)
    assert warning == (
        "there is an NVIDIA card, and not all of this run uses it. "
        f"detection and embedding: {WRONG_CUDA}; "
        "search: faiss sees no card, or is the build for processors: run `make EXTRA=gpu install`"
    )
    caplog.clear()
    with device_choice("cpu"):
        announce(*REFINES)
    assert not [r for r in caplog.records if r.levelno == logging.WARNING], "the processor was asked for"
    with device_choice("cuda"), pytest.raises(UserError, match=r"^device cuda: onnxruntime cannot load its cuda"):
        announce(*REFINES)


def test_a_command_refuses_a_card_that_is_not_there(refinery: Command, tmp_path: Path) -> None:
    words = ("refine", tmp_path / "root", "image-folder", tmp_path, "--detector", DETECTOR, "--embedder", EMBEDDER)
    status, _, err = refinery(*words, "--device", "cuda:9")
    assert (status, err.count("\n")) == (2, 1)
    assert "device cuda:9: " in err
    status, _, err = refinery(*words, "--device", "gpu")
    assert (status, err) == (2, "refinery: no device 'gpu': give cpu, cuda, cuda:1 (the second card) or tensorrt\n")
    assert not (tmp_path / "root").exists()
