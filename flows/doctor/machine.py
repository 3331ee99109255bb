"""Checks of the machine for `refinery doctor`: Python, cores, memory, disk, GPU, and the libraries that may use a GPU.

Each check is a function without side effects; each heavy library is imported inside its own check.
"""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil

from flows.doctor import installed_builds
from flows.doctor.check import MISSING, OK, WARNING, Check
from pipeline.errors import UserError
from pipeline.faces.accelerator import devices
from pipeline.tables import storage

GB = 1e9
LEAST_MEMORY = 4 * GB  # as much as flows/guides/cluster.md gives a worker
LEAST_DISK = 10 * GB  # a root with two embedders takes 8.4 kB a photo (39.6 MB for the 4,715 photos of noisy LFW)
DRIVER = devices.DRIVER


def python() -> Check:
    """The interpreter; the pinned libraries are for Python 3.11."""
    version = platform.python_version()
    if sys.version_info[:2] == (3, 11):
        return Check("Python", OK, f"{version} at {sys.executable}")
    return Check("Python", MISSING, version, "install Python 3.11, then `make install` again")


def cores() -> Check:
    """The processor cores that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    advice = "shards are made one after the other; another machine's cores join by --workers tcp://host:8786"
    return Check("cores", *((WARNING, "1", advice) if usable == 1 else (OK, str(usable))))


def memory() -> Check:
    """The memory that is free for new processes, of all there is."""
    state = psutil.virtual_memory()
    found = f"{state.available / GB:.1f} of {state.total / GB:.1f} GB are free"
    if state.available >= LEAST_MEMORY:
        return Check("memory", OK, found)
    return Check("memory", WARNING, found, "end other programs, or give --workers 1 and --memory 1GB")


def disk(root: str) -> Check:
    """Free space where the root's tables go, and whether they can be written there."""
    if "://" in root:
        try:
            storage.get(root, "refinement.json")
        except (UserError, OSError) as error:
            return Check(
                "ROOT", MISSING, f"{root}: {error}", "check the address, and the environment variables with its keys"
            )
        return Check("ROOT", OK, f"{root} answers; its free space is not known here")
    folder = Path(root or ".").absolute()
    existing = next(f for f in (folder, *folder.parents) if f.is_dir())
    free = shutil.disk_usage(existing).free
    found = f"{free / GB:.1f} GB are free at {existing}"
    if not os.access(existing, os.W_OK):
        return Check("disk", MISSING, f"{existing} cannot be written to", "give a ROOT that can be written to")
    if free >= LEAST_DISK:
        return Check("disk", OK, found)
    return Check("disk", WARNING, found, "a root takes some 8 GB for a million photos: make room")


def gpu() -> Check:
    """The GPUs that the NVIDIA driver lists."""
    if not DRIVER.exists():
        return Check("GPU", OK, "none; models run on the processor")
    try:
        command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        cards = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return Check("GPU", WARNING, f"a driver is loaded, but nvidia-smi fails ({error})", "read the driver's log")
    return Check("GPU", OK, "; ".join(cards.strip().splitlines()))


def onnxruntime() -> Check:
    """The library that detects faces and embeds with ONNX models, and whether it uses the GPU, if there is one."""
    check = _library("onnxruntime", "detection and embedding", _onnxruntime_on_gpu, "")
    if check.status == WARNING:
        return replace(check, advice=_why_onnxruntime_is_not())
    if check.status == OK and installed_builds.overwritten():
        found = f"{check.found}; the builds for processors and for cards have overwritten each other's files"
        return Check("onnxruntime", WARNING, found, devices.INSTALL)
    return check


def faiss() -> Check:
    """The library that searches nearest neighbours, and whether it uses the GPU, if there is one."""
    return _library("faiss", "searches", _faiss_on_gpu, devices.INSTALL)


def torch() -> Check:
    """The library that trains, and whether it uses the GPU, if there is one."""
    return _library("torch", "training and checkpoints", _torch_on_gpu, devices.INSTALL)


def _library(name: str, use: str, on_gpu: Callable[[], bool], advice: str) -> Check:
    try:
        uses_gpu = on_gpu()
    except Exception as error:  # noqa: BLE001  a library that cannot be loaded raises whatever it likes
        return Check(name, MISSING, f"cannot be loaded ({error})", "run `make install` again")
    found = f"{_version(name)}, {use} on the {'GPU' if uses_gpu else 'processor'}"
    unused = DRIVER.exists() and not uses_gpu
    return Check(name, WARNING, f"{found}, though there is a GPU", advice) if unused else Check(name, OK, found)


def _onnxruntime_on_gpu() -> bool:
    return not _why_onnxruntime_is_not()


def _why_onnxruntime_is_not() -> str:
    from pipeline.faces.accelerator.providers import card_problem

    return card_problem("cuda")


def _faiss_on_gpu() -> bool:
    from pipeline.noise.search.neighbours import gpu_count

    return gpu_count() > 0


def _torch_on_gpu() -> bool:
    from trainer.loop.learner import choose_device

    return choose_device().type == "cuda"


def _version(library: str) -> str:
    """The installed version of a library, whose package may be built for processors or for cards."""
    for package in (f"{library}-gpu", library, f"{library}-cpu"):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "version unknown"
