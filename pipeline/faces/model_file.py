"""ONNX files: the path, the digest that stands for the model in tables, the graph, and the session that runs it."""

import os
import threading
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray

from pipeline.errors import UserError, first_line
from pipeline.faces.prelu import without_prelu
from pipeline.tables import worker_process

TRIAL_LIMIT_S = 120.0  # for one small input; the slowest model takes a second
THREADS = 1  # for each session: shards are made in parallel already, and one thread adds numbers in a fixed order


def resolve_model(name: str) -> str:
    """The absolute path of a model file. Raises UserError when there is no such file."""
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
    """The SHA-256 of a model file; it stands for the model in the addresses of tables."""
    status = os.stat(path)  # noqa: PTH116  one call; the digest is cached until the file changes
    return _sha256(path, status.st_size, status.st_mtime_ns)


@cache
def graph(path: str) -> Any:
    """The ONNX graph of a file, without the weights. Raises UserError when the file is not an ONNX model."""
    try:
        model = onnx.load(path, load_external_data=False)
        if not model.graph.input or not model.graph.output:
            raise ValueError("no graph with inputs and outputs")
    except Exception as error:  # noqa: BLE001  protobuf and onnx raise many kinds of errors
        raise UserError(f"{path} is not an ONNX model ({first_line(error)}): give an ONNX file") from None
    for weights in model.graph.initializer:
        weights.ClearField("raw_data")
    return model.graph


@cache
def session(path: str) -> Any:
    """The onnxruntime session of a model file on the processor, shared by the threads of this process.

    PRelu nodes are replaced (see prelu.py), which changes results by rounding at most. Models run on a card in sessions
    of their own (see accelerator/byte_session.py).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(without_prelu(path) or path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  onnxruntime raises errors of its own
        raise UserError(f"onnxruntime cannot load {path} ({first_line(error)}): give another model") from None


worker_process.on_table_change(session.cache_clear)  # models are the largest things in a worker's memory


def trial_run(path: str, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The outputs of a model for a first small input.

    Raises UserError for a model that fails on it, or that gives no answer within TRIAL_LIMIT_S: its graph may hold a
    loop without an end.
    """
    options = onnxruntime.RunOptions()
    limit = threading.Timer(TRIAL_LIMIT_S, setattr, (options, "terminate", True))
    limit.daemon = True
    limit.start()
    try:
        outputs: list[NDArray[Any]] = session(path).run(None, dict(inputs), options)
        return outputs
    except Exception as error:  # noqa: BLE001  onnxruntime raises errors of its own
        reason = f"no answer within {TRIAL_LIMIT_S:.0f} s" if options.terminate else first_line(error)
        raise UserError(f"{path} does not run ({reason}): give another model") from None
    finally:
        limit.cancel()
