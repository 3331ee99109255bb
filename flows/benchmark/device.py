"""Rates of embedding, exact search and training on a GPU, or on this processor, beside those of the bare networks."""

import logging
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime
import typer
from numpy.typing import NDArray

from flows.benchmark.speed.device_models import DeviceRate, checkpoint_rate, detection_rate, embedding_rate, rates
from flows.benchmark.speed.measured_process import run_in_own_process
from flows.cli.options import NONE_GIVEN, Backbone, Batch, Detector, Networks, Settings, Turns
from flows.cli.result import Result
from flows.train.run_options import RunOptions, with_options
from pipeline.errors import UserError
from pipeline.faces.accelerator.providers import usable_device
from pipeline.noise.search.neighbours import nearest
from pipeline.sample.models import DETECTOR
from trainer.run import Run

log = logging.getLogger("refinery")
NETWORKS = ["iresnet50", "iresnet100"]
CLASSES = [100_000, 1_000_000]
DIM, NEAREST = 512, 5
TRAINING = Run(backbone="iresnet50", batch=128, sample_rate=0.1, precision="fp32", optimizer="sgd")
GB = 1e9


@dataclass(frozen=True)
class DeviceRates(Result):
    """Rates of pipeline and trainer on one device, beside the bare rates of the same run."""

    device: str
    measured: list[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        """A line for each measurement."""
        return self.measured

    def lines(self) -> list[str]:
        """Where it was measured, and what bare means."""
        return [self.device, "bare: the same network, or the product alone, on tensors that lie ready in memory"]


def device(
    network: Networks = NONE_GIVEN,
    *,
    detector: Detector = "",
    detect_photos: Annotated[int, typer.Option(help="Photos in which faces are detected.")] = 1024,
    embed_faces: Annotated[int, typer.Option(help="Faces to embed.")] = 2048,
    gallery_size: Annotated[
        int, typer.Option(help="Embeddings to search among; there are a hundredth as many queries.")
    ] = 1_000_000,
    train_classes: Annotated[list[int], typer.Option(help="Classes of a training; may be repeated.")] = CLASSES,
    turns: Turns = 5,
    half: Annotated[bool, typer.Option("--half", help="Embed in half precision, too.")] = False,
    backbone: Backbone = "",
    batch: Batch = None,
    settings: Settings = NONE_GIVEN,
) -> DeviceRates:
    """Measure detection, embedding, exact search, and training with Partial FC, on the GPU where there is one.

    Without --network: iresnet50 and iresnet100 embed; without --detector the drawn people's detects. The training,
    unless options say otherwise: iresnet50, 128 photos an update, SGD in fp32, a tenth of the classes in a step.
    """
    if min([detect_photos, embed_faces, gallery_size, turns, *train_classes]) < 2:
        raise UserError(
            f"--detect-photos {detect_photos} --embed-faces {embed_faces} --gallery-size {gallery_size} "
            f"--turns {turns} --train-classes {train_classes}: "
            "give 2 or more of each"
        )
    run = with_options(TRAINING, RunOptions(backbone=backbone, batch=batch, settings=settings))
    measurements: list[tuple[str, Callable[..., DeviceRate], tuple[Any, ...]]] = [
        *_model_measurements(detector or str(DETECTOR), network or NETWORKS, detect_photos, embed_faces, half=half),
        (f"the {NEAREST} nearest of {gallery_size:,}", _search_rate, (gallery_size,)),
        *((f"train {run.backbone}, {n:,} classes", _training_rate, (run, n, turns)) for n in train_classes),
    ]
    return DeviceRates(_device_name(), [_measure(*measurement) for measurement in measurements])


def _model_measurements(
    detector: str, networks: list[str], photos: int, faces: int, *, half: bool
) -> list[tuple[str, Callable[..., DeviceRate], tuple[Any, ...]]]:
    """Detection in batches and one at a time, embedding by onnxruntime, and by torch, as checkpoints are embedded."""
    return [
        *(
            (
                f"detect, {Path(detector).stem}, {'in batches' if batches else 'one at a time'}",
                detection_rate,
                (detector, photos, batches),
            )
            for batches in (True, False)
        ),
        *(
            (f"embed, {name}{', half precision' * halved}", embedding_rate, (name, faces, halved))
            for name in networks
            for halved in (False, True)[: 1 + half]
        ),
        *((f"embed, {name}, checkpoint", checkpoint_rate, (name, faces)) for name in networks),
    ]


def _measure(name: str, function: Callable[..., DeviceRate], arguments: tuple[Any, ...]) -> dict[str, Any]:
    """A row of the table: a measurement in a process of its own."""
    log.info("%s", name)
    measured, _, peak_gb = run_in_own_process(function, *arguments)
    rate, bare, unit, gpu_bytes = measured
    return {
        "measured": name,
        "a second": f"{rate:.1f} {unit}",
        "bare": f"{bare:.1f}",
        "share": f"{rate / bare:.1%}",
        "memory GB": f"{peak_gb:.2f}",
        "on the card": f"{gpu_bytes / GB:.2f}" if gpu_bytes else "-",
    }


def _search_rate(gallery_size: int) -> DeviceRate:
    """Queries a second among unit embeddings, beside the bare product of the same matrices."""
    from trainer.throughput import matrix_product  # torch takes seconds to load

    random = np.random.default_rng(0)
    gallery, queries = (_unit(random, n) for n in (gallery_size, max(2, gallery_size // 100)))
    rate, bare = rates(lambda: nearest(queries, gallery, NEAREST), matrix_product(queries, gallery), 1, 1)
    return DeviceRate(rate * len(queries), bare * len(queries), "queries")


def _training_rate(run: Run, classes: int, turns: int) -> DeviceRate:
    """Photos per second of whole updates with this number of classes, beside the network with two classes."""
    from trainer.throughput import throughput_with_classes

    t = throughput_with_classes(run, classes, turns=turns)
    gpu_bytes = t.peak_bytes if t.device.startswith("cuda") else 0
    return DeviceRate(t.loop_images_per_s, t.bare_images_per_s, "photos", gpu_bytes)


def _unit(random: np.random.Generator, n: int) -> NDArray[np.float32]:
    x = random.standard_normal((n, DIM), np.float32)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


def _device_name() -> str:
    """The GPUs that the driver lists, or the processor, and on what onnxruntime runs models."""
    device = f"onnxruntime {onnxruntime.__version__} on {usable_device()}"
    try:
        cards = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],  # noqa: S607  its path differs between machines
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return f"no GPU; {platform.machine()}; {device}"
    return f"{cards.replace(chr(10), '; ')}; {device}"
