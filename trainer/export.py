"""A trained network as an ONNX file, which is all that the pipeline needs of it.

The file is written beside its place, run by onnxruntime against the network itself, and only then given its name: a
file that is there is one that was compared.
"""

import copy
import logging
import os
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from pipeline.errors import UserError

OPSET = 17  # the newest that torch's tracing exporter writes without converting; onnxruntime 1.13 and later read it
MIN_COSINE = 1 - 1e-4
TRIAL = 5  # faces compared, so not the one that the graph was traced with


def to_onnx(net: nn.Module, path: str | Path, *, channels: int, size: int) -> float:
    """Write a network's file and return the worst cosine between what it and the network make of the same faces.

    Input `data` [n, channels, size, size] float32 in RGB from -1 to 1, output `embedding` [n, d], n free. Raises
    UserError when the two differ (a cosine below 1 - 1e-4) or the file cannot be written; an earlier file then stays.
    """
    net = plain(net)
    path = Path(path)
    drawn = torch.Generator().manual_seed(0)
    faces = torch.rand(TRIAL, channels, size, size, generator=drawn, dtype=torch.float32) * 2 - 1
    with written(path) as temporary:
        export_graph(
            net,
            faces[:2],
            temporary,
            inputs=["data"],
            outputs=["embedding"],
            free={"data": {0: "n"}, "embedding": {0: "n"}},
        )
        worst = _worst_cosine(net, faces, temporary)
        if not worst >= MIN_COSINE:
            raise UserError(
                f"the ONNX file of the network differs from it (cosine {worst:.6f}, at least {MIN_COSINE} expected): "
                f"{path} was not written; train on, or export in fp32"
            )
    return worst


def export_graph(
    net: nn.Module,
    example: Tensor,
    path: Path,
    *,
    inputs: list[str],
    outputs: list[str],
    free: dict[str, dict[int, str]],
) -> None:
    """Trace a network and write its graph; free names the axes that may change. Batch norms fold into convolutions."""
    with _quiet(), torch.inference_mode():
        # the tracing exporter: the other one needs onnxscript, and these networks do not branch on their input
        torch.onnx.export(
            net,
            (example,),
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )


def plain(net: nn.Module) -> nn.Module:
    """A copy of a network as it is used: on the CPU, in float32, not training, channels first in memory."""
    net = copy.deepcopy(net).cpu().float().eval()
    return net.to(memory_format=torch.contiguous_format)  # type: ignore[no-any-return,call-overload]


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A temporary path that becomes the file when the block ends well, and vanishes otherwise.

    Raises UserError for what the disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())  # a power cut after the rename must not leave an empty file
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}): make room, or give another place") from None
    finally:
        with suppress(OSError):  # what went wrong was said already
            temporary.unlink(missing_ok=True)


def open_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """onnxruntime's session of a file, on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _worst_cosine(net: nn.Module, faces: Tensor, path: Path) -> float:
    with torch.inference_mode():
        expected = net(faces).numpy().astype(np.float64)
    found = open_session(path).run(None, {"data": faces.numpy()})[0].astype(np.float64)
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    return float(np.min((expected * found).sum(1) / lengths))  # not a number when either is not


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter announces its successor and its own tracing on stderr: nothing that a user can act on."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
