"""The networks of embedders and of face-quality models on a card: batches of aligned faces in, their outputs back."""

import threading

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.accelerator.batched_session import batched_session
from pipeline.faces.accelerator.byte_session import ByteSession
from pipeline.faces.accelerator.devices import Device
from pipeline.faces.accelerator.model_graphs import InputFormat
from pipeline.faces.align import SIZE
from pipeline.faces.protocols import OnCard
from pipeline.tables import worker_process

BATCH = 256  # faces: 10 MB of bytes
_sessions: dict[tuple[str, InputFormat, Device], ByteSession] = {}
_loading = threading.Lock()


def run_faces(path: str, how: InputFormat, device: Device, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The outputs [n, d] of the model in a file for aligned faces [n, 112, 112, 3] in BGR.

    how: the format of the model's input. Several threads may call this at the same time.
    """
    session = face_session(path, how, device)
    steps = range(0, len(faces), session.most)
    outputs = [np.asarray(session(faces[i : i + session.most])[0], np.float32) for i in steps]
    return np.concatenate([o.reshape(len(o), -1) for o in outputs])


def face_session(path: str, how: InputFormat, device: Device) -> ByteSession:
    """The session of the model in a file for faces, on a device; loaded once for all threads."""
    with _loading:
        if (path, how, device) not in _sessions:
            _sessions[path, how, device] = batched_session(path, how, (SIZE, SIZE), device, most=BATCH)
        return _sessions[path, how, device]


worker_process.on_table_change(_sessions.clear)


def faces_at_once(model: object, batch: int) -> int:
    """How many faces a model gets at a time: BATCH on a card, `batch` on a processor."""
    return BATCH if isinstance(model, OnCard) and model.on_card else batch
