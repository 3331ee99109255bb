"""Opens a model on a device for batches of bytes, whatever batch its file was written for, and checks that it can."""

import logging

import numpy as np
import onnx

from pipeline.errors import first_line
from pipeline.faces.accelerator.byte_session import ByteSession
from pipeline.faces.accelerator.devices import Device
from pipeline.faces.accelerator.model_graphs import InputFormat, free_batch, graph_input, take_bytes

log = logging.getLogger("refinery")
PICTURES = 3  # with which a rewritten graph is tried
MOST_DIFFERENT = 1e-3  # of the outputs' largest number: what rounding may change


def batched_session(path: str, how: InputFormat, size: tuple[int, int], device: Device, *, most: int) -> ByteSession:
    """The session of a model for up to `most` pictures at a time.

    how: the format of the model's input; size: height and width of pictures with which it is tried. A graph that cannot
    be rewritten for a free batch, which the trial shows, takes as many pictures at a time as its file says.
    """
    batched = onnx.load(path)
    fixed = graph_input(batched.graph).type.tensor_type.shape.dim[0].dim_value
    if fixed:
        alone = onnx.ModelProto()
        alone.CopyFrom(batched)
        free_batch(batched)
    take_bytes(batched, how)
    if not fixed:
        return ByteSession(batched, device, most=most)
    take_bytes(alone, how)
    as_written = ByteSession(alone, device, most=fixed, fixed=True)
    try:
        session = ByteSession(batched, device, most=most)
        if _agree(as_written, session, size):
            return session
        reason = "its results would change"
    except Exception as error:  # noqa: BLE001  onnxruntime raises errors of its own
        reason = first_line(error)
    log.warning("%s takes %d pictures at a time, and is slow on a card (%s)", path, fixed, reason)
    return as_written


def _agree(as_written: ByteSession, session: ByteSession, size: tuple[int, int]) -> bool:
    """Whether both sessions give the same outputs for pictures one at a time and several together."""
    pictures = np.random.default_rng(0).integers(0, 256, (PICTURES, *size, 3), np.uint8)
    together = session(pictures)
    for i in range(PICTURES):
        filled = np.repeat(pictures[i : i + 1], as_written.most, axis=0)
        for ours, theirs in zip(together, as_written(filled), strict=True):
            one = theirs.reshape(-1, *ours.shape[1:])[0]
            if np.abs(ours[i] - one).max(initial=0) > MOST_DIFFERENT * max(1.0, np.abs(one).max(initial=0)):
                return False
    return True
