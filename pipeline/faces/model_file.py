"""ONNX files and the sessions that run them: what a model is called by, and one session per process and file."""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from pipeline.errors import UserError
from pipeline.faces.prelu import in_blocks
from pipeline.tables import worker_process

THREADS = 1  # per session: the shards of a table are what runs in parallel, and one thread gives one order of summing


def resolve_model(name: str) -> str:
    """The absolute path of a model file.

    Raises UserError when it is missing.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return str(path.absolute())
    if path.exists():
        raise UserError(f"{name} is a folder: give an ONNX file in it")
    raise UserError(f"the model {name} is not there: give the path of an ONNX file")


@cache
def _sha256(path: str, _size: int, _modified: int) -> str:
    with open(path, "rb") as stream:
        return sha256(stream.read()).hexdigest()


def digest_of(path: str) -> str:
    """The SHA-256 of a model file, which is what names it in the tables made with it."""
    found = os.stat(path)  # noqa: PTH116  the cache is per file as it is now
    return _sha256(path, found.st_size, found.st_mtime_ns)


@cache
def graph(path: str) -> Any:
    """The ONNX graph of a file, its weights left out. Raises UserError when the file is no ONNX model."""
    try:
        model = onnx.load(path, load_external_data=False)
        if not model.graph.input or not model.graph.output:
            raise ValueError("no graph with inputs and outputs")
    except Exception as error:  # noqa: BLE001  protobuf and onnx raise a dozen kinds for a file that is not theirs
        raise UserError(f"{path} is no ONNX model ({brief(error)}): give an ONNX file") from None
    for weights in model.graph.initializer:
        weights.ClearField("raw_data")
    return model.graph


def providers() -> list[str]:
    """The onnxruntime providers to use here, fastest first."""
    there = onnxruntime.get_available_providers()
    wanted = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
    return [p for p in wanted if p in there]


HELPERS = 1 if providers()[0] == "CPUExecutionProvider" else 4  # threads beside a model; a CPU is busy with it as well


@cache
def session(path: str) -> Any:
    """The onnxruntime session of a model file, shared by the threads of this process.

    On a CPU without PRelu, which is slow there; what the model gives is the same but for rounding.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    options.log_severity_level = 3
    where = providers()
    try:
        model = in_blocks(path) if where[0] == "CPUExecutionProvider" else None
        return onnxruntime.InferenceSession(model or path, options, providers=where)
    except Exception as error:  # noqa: BLE001  onnxruntime raises its own kinds for a broken model
        raise UserError(f"onnxruntime cannot load {path} ({brief(error)}): give another model") from None


worker_process.on_table_change(session.cache_clear)  # a model is one table's matter, and the largest thing in a worker


def brief(error: Exception) -> str:
    """What an error says, in part of a line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
