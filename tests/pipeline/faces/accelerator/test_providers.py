"""A device that was asked for is never replaced; a card that cannot be used has a reason and a remedy."""

import re
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
    monkeypatch.delenv(devices.DEVICE, raising=False)
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


@pytest.mark.parametrize(
    ("kind", "missing", "remedy"),
    [
        ("cuda", "libcudnn.so.9: cannot open", r"a driver for it and cuDNN 9: run `make EXTRA=gpu install`, or"),
        ("cuda", "libcuda.so.1: cannot open", r"install the driver of the card \(a container must be given the card\)"),
        ("tensorrt", "libnvinfer.so.10: cannot open", r"and TensorRT 10: install those, or give --device cuda$"),
    ],
)
def test_libraries_that_do_not_load_are_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, missing: str, remedy: str
) -> None:
    def no_library(path: str, mode: int = 0) -> None:
        raise OSError(f"{missing} shared object file: No such file or directory")

    machine(monkeypatch, available=BUILD_FOR_CARDS, driver=tmp_path)
    monkeypatch.setattr(providers.ctypes, "CDLL", no_library)
    assert card_problem(kind).startswith(f"onnxruntime cannot load its libraries for {kind} ({missing}")
    assert re.search(remedy, card_problem(kind))


def test_a_card_that_does_not_answer_has_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """onnxruntime opens a session all the same, without the provider."""
    machine(monkeypatch, available=BUILD_FOR_CARDS, driver=tmp_path)
    monkeypatch.setattr(providers.ctypes, "CDLL", lambda path, mode=0: None)
    monkeypatch.setattr(providers, "providers_of", lambda device: ["CPUExecutionProvider"])
    assert card_problem("cuda").startswith("the card does not answer onnxruntime: it needs CUDA ")


def test_tensorrt_is_used_only_when_asked_for_and_keeps_its_engines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REFINERY_CACHE", str(tmp_path))
    names = {kind: [name for name, _ in providers_of(Device(kind, 2))] for kind in ("cpu", "cuda", "tensorrt")}
    assert names == {"cpu": BUILD_FOR_CARDS[2:], "cuda": BUILD_FOR_CARDS[1:], "tensorrt": BUILD_FOR_CARDS}
    options = dict(providers_of(Device("tensorrt", 2)))
    assert options["TensorrtExecutionProvider"]["trt_engine_cache_path"] == str(tmp_path / "tensorrt")
    assert options["CUDAExecutionProvider"]["device_id"] == "2"
