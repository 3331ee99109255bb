"""Exports a trained network to an ONNX file, which the pipeline uses as its embedder.

The file is first written under a temporary name. onnxruntime computes embeddings with it, and they are compared with
those of the network. Only a file that passes this comparison gets its final name.
"""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.whole_files import whole_file

OPSET = 17  # the newest that torch's tracing exporter writes without converting; onnxruntime 1.13 and later read it
MIN_COSINE = 1 - 1e-4
TRIAL_FACES = 5  # random faces for the comparison; the graph is traced with 2, so a fixed batch size would fail here


def to_onnx(net: nn.Module, path: str | Path, *, channels: int, size: int) -> float:
    """Write a network as an ONNX file; returns the smallest cosine between embeddings of the file and of the network.

    The file's input is `data` [n, channels, size, size] float32 in RGB from -1 to 1, its output `embedding` [n, d], for
    any n. Raises UserError when a cosine is below 1 - 1e-4 or the file cannot be written; an earlier file at the path
    is then unchanged.
    """
    net = inference_copy(net)
    path = Path(path)
    generator = torch.Generator().manual_seed(0)
    faces = torch.rand(TRIAL_FACES, channels, size, size, generator=generator, dtype=torch.float32) * 2 - 1
    with replace_file_when_written(path) as temporary:
        export_graph(
            net,
            faces[:2],
            temporary,
            inputs=["data"],
            outputs=["embedding"],
            dynamic_axes={"data": {0: "n"}, "embedding": {0: "n"}},
        )
        smallest = _smallest_cosine(net, faces, temporary)
        if not smallest >= MIN_COSINE:  # also true for nan
            raise UserError(
                f"the ONNX file's embeddings differ from the network's (smallest cosine {smallest:.6f}, "
                f"at least {MIN_COSINE} expected): {path} was not written; train on, or export in fp32"
            )
    return smallest


def export_graph(
    net: nn.Module,
    example: Tensor,
    path: Path,
    *,
    inputs: list[str],
    outputs: list[str],
    dynamic_axes: dict[str, dict[int, str]],
) -> None:
    """Write a network's graph, traced on an example input, with batch norms folded into convolutions.

    inputs, outputs: their names in the file. dynamic_axes: for an input or output, its axes of variable length and a
    name for each axis.
    """
    with _without_exporter_warnings(), torch.inference_mode():
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
def replace_file_when_written(path: Path) -> Iterator[Path]:
    """A temporary path to write to: renamed to `path` when the block ends, removed when it raises an error.

    Raises UserError when the file cannot be written.
    """
    try:
        with whole_file(path) as temporary:
            yield temporary
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}): make room there, or give another path") from None


def open_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """An onnxruntime session that runs an ONNX file on the CPU with this many threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _smallest_cosine(net: nn.Module, faces: Tensor, path: Path) -> float:
    """The smallest cosine between the network's and the file's embeddings of a face; nan when an embedding has nan."""
    with torch.inference_mode():
        expected = net(faces).numpy().astype(np.float64)
    actual = open_session(path).run(None, {"data": faces.numpy()})[0].astype(np.float64)
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(actual, axis=1)
    return float(np.min((expected * actual).sum(1) / lengths))


@contextmanager
def _without_exporter_warnings() -> Iterator[None]:
    """Hide the exporter's warnings that it is deprecated and that it traces: a user can do nothing about them."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
