"""The first line of a run: which device detects, embeds, searches and trains; with a warning of a card left unused."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.faces.accelerator import devices
from pipeline.faces.accelerator.devices import Device, chosen_name, parse_device

log = logging.getLogger("refinery")
DETECTION, EMBEDDING, SEARCH, TRAINING = "detection", "embedding", "search", "training"
EMBEDS = (DETECTION, EMBEDDING)
REFINES = (*EMBEDS, SEARCH)
TRAINS = (*REFINES, TRAINING)
CARDS = Path("/proc/driver/nvidia/gpus")  # a folder for each card, with a file that names its model
FAISS = f"faiss sees no card, or is the build for processors: {devices.INSTALL}"
TORCH = f"torch has no CUDA, or none for this driver: {devices.INSTALL}"


@contextmanager
def announced(uses: Sequence[str], *, checkpoints: bool = False, train_on: str = "") -> Iterator[None]:
    """In the block the first line of the log says where models run, and a warning why a card is not used.

    So the mistakes of a user, which are found before anything is logged, stay the only lines. checkpoints: the embedder
    is a checkpoint, which torch runs. train_on: the device asked for to train. Raises UserError where a device was
    asked for on which models cannot run.
    """
    if os.environ.get("RANK", "0") != "0":  # of torchrun: the first rank says it
        yield
        return
    first = _FirstLine(*_lines(uses, checkpoints=checkpoints, train_on=train_on))
    log.addFilter(first)
    try:
        yield
        first.write()
    finally:
        log.removeFilter(first)


class _FirstLine(logging.Filter):
    """Writes a line, and perhaps a warning, before the first record of the log."""

    def __init__(self, line: str, warning: str) -> None:
        super().__init__()
        self.line, self.warning, self.written = line, warning, False

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002  all records pass
        """Whether a record is logged: always."""
        self.write()
        return True

    def write(self) -> None:
        """Write the line, unless it was written."""
        if not self.written:
            self.written = True
            log.info("%s", self.line)
            if self.warning:
                log.warning("%s", self.warning)


def _lines(uses: Sequence[str], *, checkpoints: bool, train_on: str) -> tuple[str, str]:
    """Where each use of models runs, and why a card is not used; "": it is used, or none is there or wanted."""
    places: dict[str, Device] = {}
    problems: dict[str, list[str]] = {}
    for use in uses:
        places[use], problem = _place(use, checkpoints=checkpoints, train_on=train_on)
        if problem and devices.DRIVER.exists() and _asked_for(use, train_on) != "cpu":
            problems.setdefault(problem, []).append(use)
    where = [(_named(device), [u for u in uses if places[u] == device]) for device in dict.fromkeys(places.values())]
    line = "; ".join(f"{_listed(names)} on {device}" for device, names in where)
    reasons = "; ".join(f"{_listed(names)}: {problem}" for problem, names in problems.items())
    return line, f"there is an NVIDIA card, and not all of this run uses it. {reasons}" if problems else ""


def _place(use: str, *, checkpoints: bool, train_on: str) -> tuple[Device, str]:
    """Where a use of models runs, and why it is not on a card."""
    if use == SEARCH:
        from pipeline.noise.search.neighbours import gpu_count

        return (Device("cuda"), "") if gpu_count() else (Device("cpu"), FAISS)
    if use == TRAINING or (use == EMBEDDING and checkpoints):
        name = _asked_for(use, train_on)
        return (_torch_device(name), "") if name else _default_torch_device()
    from pipeline.faces.accelerator.providers import card_problem, usable_device

    device = usable_device()
    return device, "" if device.on_card else card_problem("cuda")


def _asked_for(use: str, train_on: str) -> str:
    """The name of the device asked for, "" where none was."""
    return (train_on if use == TRAINING else "") or chosen_name()


def _torch_device(name: str) -> Device:
    """The device of a name that was given; torch checks it itself when it is used."""
    device = parse_device(name) if name.startswith(("cpu", "cuda", "tensorrt")) else Device(name)
    return device._replace(kind=device.allocator) if device.kind == "tensorrt" else device


def _default_torch_device() -> tuple[Device, str]:
    from trainer.embedder import card_is_usable  # torch takes seconds to load, and such a run loads it anyway

    return (Device("cuda"), "") if card_is_usable() else (Device("cpu"), TORCH)


def _named(device: Device) -> str:
    """The device and the model of its card, as the driver gives it."""
    if not device.on_card:
        return "the processor"
    # CUDA_VISIBLE_DEVICES leaves cards out of CUDA's numbers, and may change their order
    cards = [] if "CUDA_VISIBLE_DEVICES" in os.environ else sorted(CARDS.glob("*/information"))
    models = [line.partition(":")[2].strip() for card in cards for line in card.read_text().splitlines()[:1]]
    notes = models[device.card : device.card + 1]
    if device.kind == "tensorrt":
        notes.append("engines that are not in the cache take minutes to build")
    return f"{device} ({'; '.join(notes)})" if notes else str(device)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
