"""Which onnxruntime execution providers run a model on a device, and why a card that is there cannot be used.

No run falls back from a device that was asked for. Where none was asked for and the card cannot be used, the processor
is, and the reason is said once (see flows/cli/devices_line.py).
"""

import contextlib
import ctypes
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import onnxruntime
from onnx import TensorProto, helper

from pipeline.errors import UserError, first_line
from pipeline.faces.accelerator import devices
from pipeline.faces.accelerator.devices import Device, chosen_name, parse_device
from pipeline.user_cache import user_cache

CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"
PROVIDERS = {"cpu": [CPU], "cuda": [CUDA, CPU], "tensorrt": [TENSORRT, CUDA, CPU]}
CUDA_OPTIONS = {
    "use_tf32": "0",  # TF32 rounds to 10 bits: cosines would move by a thousandth; a model in half precision is faster
    # by a fixed rule: trying all kernels is slow for every new size of photos, and the fastest differs between runs
    "cudnn_conv_algo_search": "HEURISTIC",
    "arena_extend_strategy": "kSameAsRequested",  # doubling wastes memory where photos have many sizes
}


def usable_device(name: str | None = None) -> Device:
    """The device of a name (None: the one that was asked for); "": a card if there is one that works, else cpu.

    Raises UserError for a card or TensorRT that was asked for and cannot be used: nothing falls back from it.
    """
    name = chosen_name() if name is None else name
    if not name:
        return Device("cpu" if card_problem("cuda") else "cuda")
    device = parse_device(name)
    if device.on_card and (problem := card_problem(device.kind, device.card)):
        raise UserError(f"device {name}: {problem}")
    return device


@cache
def card_problem(kind: str, card: int = 0) -> str:
    """Why onnxruntime cannot run models on a card by cuda or tensorrt, with the remedy; "": it can."""
    provider = PROVIDERS[kind][0]
    if provider not in onnxruntime.get_available_providers():
        return f"the onnxruntime that is installed is not the build for cards: {devices.INSTALL}"
    if not devices.DRIVER.exists():
        return "no driver of an NVIDIA card is loaded here: give cpu, or run where there is a card"
    load_libraries()
    if missing := _missing_library(kind):
        return f"onnxruntime cannot load its libraries for {kind} ({missing}): {_remedy(kind, missing)}"
    try:
        with _quiet_onnxruntime():
            wanted = providers_of(Device(kind, card))
            session = onnxruntime.InferenceSession(_smallest_model(), providers=wanted, enable_fallback=0)
    except Exception as error:  # noqa: BLE001  onnxruntime raises errors of its own
        return f"onnxruntime cannot use the card ({first_line(error)}): {_remedy(kind)}"
    return "" if provider in session.get_providers() else f"the card does not answer onnxruntime: {_remedy(kind)}"


def providers_of(device: Device) -> list[Any]:
    """The providers of a device, the first that can run a node first, as InferenceSession takes them."""
    options = {CUDA: CUDA_OPTIONS | {"device_id": str(device.card)}, TENSORRT: _tensorrt_options(device), CPU: {}}
    return [(name, options[name]) for name in PROVIDERS[device.kind]]


@cache
def load_libraries() -> None:
    """Load CUDA and cuDNN from the packages that torch and onnxruntime-gpu install; the system may have none."""
    with _quiet_onnxruntime(), contextlib.suppress(Exception):
        onnxruntime.preload_dlls()


@contextlib.contextmanager
def _quiet_onnxruntime() -> Iterator[None]:
    """In the block onnxruntime neither logs nor prints what it does not find: it is said in one line later."""
    onnxruntime.set_default_logger_severity(4)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # onnxruntime's default, which cannot be asked for


def _tensorrt_options(device: Device) -> dict[str, str]:
    """Engines are built once for a model and a card, which takes minutes, and kept in the user's cache."""
    folder = user_cache() / "tensorrt"
    return {
        "device_id": str(device.card),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }


def _missing_library(kind: str) -> str:
    """What the system's loader says about a provider's library; "": it is there, with all that it needs."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    try:
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(folder / f"libonnxruntime_providers_{kind}.so"))
    except OSError as error:
        return first_line(error)
    return ""


def _remedy(kind: str, missing: str = "") -> str:
    if missing.startswith("libcuda.so"):
        return "install the driver of the card (a container must be given the card), or give --device cpu"
    needs = f"CUDA {getattr(onnxruntime, 'cuda_version', '') or 'unknown'}, a driver for it and cuDNN 9"
    if kind == "tensorrt":
        return f"it needs {needs}, and TensorRT 10: install those, or give --device cuda"
    return f"it needs {needs}: {devices.INSTALL}, or give --device cpu"


def _smallest_model() -> bytes:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "smallest", [x], [y])
    data: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()
    return data
