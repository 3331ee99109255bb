"""A trained network as an ONNX file, the form in which the pipeline uses it.

The file is written under a temporary name, run by onnxruntime and compared with the network itself, and only then
renamed: a file under its final name always passed the comparison.
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
TRIAL_FACES = 5  # compared; more than the graph is traced with, so that a fixed batch size would show


def to_onnx(net: nn.Module, path: str | Path, *, channels: int, size: int) -> float:
    """Write a network's ONNX file; returns the smallest cosine between its embeddings and the network's own.

    Input `data` [n, channels, size, size] float32 in RGB from -1 to 1, output `embedding` [n, d], for any n.
    Raises UserError when the two differ (a cosine below 1 - 1e-4) or the file cannot be written; an earlier file then
    stays.
    """
    net = inference_copy(net)
    path = Path(path)
    generator = torch.Generator().manual_seed(0)
    faces = torch.rand(TRIAL_FACES, channels, size, size, generator=generator, dtype=torch.float32) * 2 - 1
    with whole_file(path) as temporary:
        export_graph(
            net,
            faces[:2],
            temporary,
            inputs=["data"],
            outputs=["embedding"],
            dynamic_axes={"data": {0: "n"}, "embedding": {0: "n"}},
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
    dynamic_axes: dict[str, dict[int, str]],
) -> None:
    """Trace a network with an example and write its graph, batch norms folded into convolutions.

    dynamic_axes: by input or output, the axes of any length and a name for each.
    """
    with _quiet(), torch.inference_mode():
        # the tracing exporter: the newer one needs onnxscript, and these networks do not branch on their input
        torch.onnx.export(
            net,
            (example,),
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=dynamic_axes,
            opset_version=OPSET,
            dynamo=False,
        )


def inference_copy(net: nn.Module) -> nn.Module:
    """A copy of a network on the CPU, in float32, in evaluation mode, with channels first in memory."""
    net = copy.deepcopy(net).cpu().float().eval()
    return net.to(memory_format=torch.contiguous_format)  # type: ignore[no-any-return,call-overload]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which becomes the file when the block succeeds and is removed otherwise.

    Raises UserError when the file cannot be written.
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
        with suppress(OSError):  # the first error is the one to report
            temporary.unlink(missing_ok=True)


def open_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """An onnxruntime session of an ONNX file, on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _worst_cosine(net: nn.Module, faces: Tensor, path: Path) -> float:
    with torch.inference_mode():
        expected = net(faces).numpy().astype(np.float64)
    actual = open_session(path).run(None, {"data": faces.numpy()})[0].astype(np.float64)
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(actual, axis=1)
    return float(np.min((expected * actual).sum(1) / lengths))  # nan when either holds one


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings about its successor and about tracing, which a user cannot act on."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
