"""On what models run: the processor, or an NVIDIA card through CUDA or TensorRT.

`--device` of a command chooses, else the variable REFINERY_DEVICE, which worker processes inherit. Without either a
card is used where there is one and the libraries can use it. A device that was asked for is never replaced by another.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.tables.worker_process import DEVICE

NAME = r"cpu|(?:cuda|tensorrt)(?::[0-9]{1,3})?"
DRIVER = Path("/dev/nvidiactl")  # exists where the driver of an NVIDIA card is loaded
INSTALL = "run `make EXTRA=gpu install`"  # the remedy for libraries that cannot use a card


class Device(NamedTuple):
    """A processor or a card. kind: cpu, cuda or tensorrt; card: its number among those that CUDA sees."""

    kind: str
    card: int = 0

    @property
    def on_card(self) -> bool:
        """Whether it is a card."""
        return self.kind != "cpu"

    @property
    def allocator(self) -> str:
        """The name that onnxruntime and torch have for its memory."""
        return "cuda" if self.on_card else "cpu"

    def __str__(self) -> str:
        return f"{self.kind}:{self.card}" if self.on_card else self.kind


def is_device(name: str) -> bool:
    """Whether a device may have this name."""
    return re.fullmatch(NAME, name) is not None


def parse_device(name: str) -> Device:
    """The device of a name such as cpu, cuda, cuda:1 or tensorrt. Raises UserError for another name."""
    if not is_device(name):
        raise UserError(f"no device {name!r}: give cpu, cuda, cuda:1 (the second card) or tensorrt")
    kind, _, card = name.partition(":")
    return Device(kind, int(card or 0))


def chosen_name() -> str:
    """The name of the device that was asked for; "" where none was."""
    return os.environ.get(DEVICE, "")


@contextmanager
def device_choice(name: str) -> Iterator[None]:
    """In the block the device of this name is asked for, also in processes that are started meanwhile; "": no change.

    Raises UserError for a name of no device.
    """
    if name:
        parse_device(name)
    before = os.environ.get(DEVICE)
    if name:
        os.environ[DEVICE] = name
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(DEVICE, None)
        else:
            os.environ[DEVICE] = before
