"""A device that was asked for is never replaced; a card that cannot be used has a reason and a remedy."""

from collections.abc import Iterator
from pathlib import Path

import onnxruntime
import pytest

from pipeline.errors import UserError
from pipeline.faces.accelerator import devices, providers
from pipeline.faces.accelerator.devices import Device, device_choice
from pipeline.faces.accelerator.providers import card_problem, providers_of, usable_device

BUILD_FOR_CARDS = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Problems are looked for once in a process; here in each test."""
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    card_problem.cache_clear()
    yield
    card_problem.cache_clear()


def machine(monkeypatch: pytest.MonkeyPatch, *, available: list[str], driver: Path) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(devices, "DRIVER", driver)


def test_without_a_card_or_its_build_models_run_on_the_processor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, available=["CPUExecutionProvider"], driver=tmp_path)
    assert usable_device() == Device("cpu")
    assert "not the build for cards: run `make EXTRA=gpu install`" in card_problem("cuda")
    card_problem.cache_clear()
    machine(monkeypatch, available=BUILD_FOR_CARDS, driver=tmp_path / "none")
    assert usable_device() == Device("cpu")
    assert card_problem("tensorrt").startswith("no driver of an NVIDIA card is loaded here")


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "tensorrt"])
def test_a_card_that_was_asked_for_is_not_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    machine(monkeypatch, available=BUILD_FOR_CARDS, driver=tmp_path / "none")
    with device_choice(name), pytest.raises(UserError, match=f"^device {name}: no driver of an NVIDIA card"):
        usable_device()
    with device_choice("cpu"):
        assert usable_device() == Device("cpu")


def test_a_card_whose_libraries_do_not_load_has_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where CUDA is of another version: onnxruntime names its provider, and opens sessions without it."""
    machine(monkeypatch, available=BUILD_FOR_CARDS, driver=tmp_path)
    monkeypatch.setattr(providers, "providers_of", lambda device: ["CPUExecutionProvider"])
    problem = card_problem("cuda")
    assert problem.startswith("onnxruntime cannot load its cuda libraries (")
    assert "needs a driver for it and cuDNN 9; run `make EXTRA=gpu install`, or give --device cpu" in problem


def test_tensorrt_is_used_only_when_asked_for_and_keeps_its_engines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REFINERY_CACHE", str(tmp_path))
    names = {kind: [name for name, _ in providers_of(Device(kind, 2))] for kind in ("cpu", "cuda", "tensorrt")}
    assert names == {"cpu": BUILD_FOR_CARDS[2:], "cuda": BUILD_FOR_CARDS[1:], "tensorrt": BUILD_FOR_CARDS}
    options = dict(providers_of(Device("tensorrt", 2)))
    assert options["TensorrtExecutionProvider"]["trt_engine_cache_path"] == str(tmp_path / "tensorrt")
    assert options["CUDAExecutionProvider"]["device_id"] == "2"
