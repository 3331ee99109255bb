"""Threads that prepare pictures follow the device that was asked for, not the driver that is there."""

from pathlib import Path

import pytest

from pipeline.faces.accelerator import devices
from pipeline.faces.accelerator.preparation import CARD_THREADS, prepare_threads
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import OnnxEmbedder


class OfACard:
    """A model that runs on a card."""

    on_card = True


def test_a_processor_has_one_thread_also_where_a_driver_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "DRIVER", tmp_path)  # there
    for model in (OnnxDetector("d.onnx", device="cpu"), OnnxEmbedder("e.onnx", device="cpu"), lambda faces: faces):
        assert prepare_threads(model) == 1
    assert prepare_threads(OfACard()) == CARD_THREADS > 1
