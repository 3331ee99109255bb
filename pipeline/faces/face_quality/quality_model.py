"""Face-quality models in ONNX files (such as eDifFIQA and CR-FIQA), and the measures table that one makes.

A model takes aligned faces and gives one number for each. The number's scale does not matter: noise/face_quality
learns what it foretells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.accelerator.devices import chosen_name
from pipeline.faces.accelerator.face_network import faces_at_once, run_faces
from pipeline.faces.accelerator.model_graphs import InputFormat
from pipeline.faces.accelerator.providers import usable_device
from pipeline.faces.align import SIZE
from pipeline.faces.rows.stored_faces import decode_faces
from pipeline.tables.columns import Mask
from pipeline.tables.table import Shard, read_shard

MEASURES = pa.schema(
    [
        ("face_id", pa.string()),
        ("identity", pa.string()),
        ("measure", pa.float32()),  # the model's output; null: there is no face
    ]
)


class QualityModelFormat(NamedTuple):
    """The name of a model's input, and how many faces it takes at a time (None: any number)."""

    input_name: str
    batch: int | None


@dataclass(frozen=True)
class FaceQualityModel:
    """A face-quality model in an ONNX file: input [n, 3, 112, 112] in RGB, (pixel - 127.5) / 127.5, as both papers'
    code has it (eDifFIQA, Babnik 2024; CR-FIQA, Boutros 2023); output one number for each face."""

    model: str
    device: str = field(default_factory=chosen_name)  # changes results by rounding at most

    @property
    def named_by(self) -> list[Any]:
        """The digest of the model's file, not its path."""
        return ["face quality", model_file.digest_of(self.model)]

    @property
    def on_card(self) -> bool:
        """Whether a card runs it. Raises UserError where the device cannot be used."""
        return usable_device(self.device).on_card

    def __call__(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The model's outputs [n] for aligned faces [n, 112, 112, 3] in BGR."""
        device = usable_device(self.device)
        if device.on_card and len(faces):
            return run_faces(self.model, InputFormat(127.5, 127.5), device, faces)[:, 0]
        name, batch = quality_model_format(self.model)
        x = (np.ascontiguousarray(faces[..., ::-1].transpose(0, 3, 1, 2)).astype(np.float32) - 127.5) / 127.5
        step, session = batch or max(1, len(x)), model_file.session(self.model)
        outputs: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
        for start in range(0, len(x), step):
            chunk = x[start : start + step]
            padded = (
                np.concatenate([chunk, np.zeros((step - len(chunk), *x.shape[1:]), np.float32)]) if batch else chunk
            )
            outputs.append(np.asarray(session.run(None, {name: padded})[0], np.float32).reshape(-1)[: len(chunk)])
        return np.concatenate(outputs)


@cache
def quality_model_format(path: str) -> QualityModelFormat:
    """The format of the face-quality model in a file, read from the file and from one trial run.

    Raises UserError for a model that does not take 112x112 colour faces, or does not give one number for each face.
    """
    session = model_file.session(path)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = [d if isinstance(d, int) else None for d in inputs[0].shape]
    if len(inputs) != 1 or len(outputs) != 1 or shape[1:] != [3, SIZE, SIZE]:
        raise UserError(
            f"{path} is not a face-quality model (its input is {inputs[0].name} {inputs[0].shape}, it has "
            f"{len(outputs)} outputs): give one that takes [n, 3, {SIZE}, {SIZE}] and has one output, as eDifFIQA"
        )
    faces = shape[0] or 1
    output = model_file.trial_run(path, {inputs[0].name: np.zeros((faces, 3, SIZE, SIZE), np.float32)})[0]
    if output.size != faces:
        raise UserError(
            f"{path} gives {output.size // faces} numbers for a face: a face-quality model gives one, as eDifFIQA does"
        )
    return QualityModelFormat(inputs[0].name, shape[0])


def measure_shard(
    part: Shard,
    *,
    root: str,
    quality_model: FaceQualityModel,
    batch: int,
    reuse: Sequence[tuple[Shard, Shard]] = (),
) -> pa.Table:
    """The model's output for each face of one shard of faces, row by row; null where there is no face.

    batch: faces that the model gets at a time on a processor. reuse: pairs of a shard of faces of an earlier run and
    the shard of measures that the same model made from it; the measures of unchanged faces are copied from there.
    """
    faces = read_shard(root, part, ["face_id", "identity", "jpeg"])
    has_face = np.asarray(faces["jpeg"].is_valid())
    measure, to_measure = np.zeros(len(faces), np.float32), has_face.copy()
    for earlier_faces, earlier_measures in reuse:
        known, values = _unchanged(faces, read_shard(root, earlier_faces, ["face_id", "jpeg"]), root, earlier_measures)
        measure[known], to_measure[known] = values, False
    rows = np.flatnonzero(to_measure)
    batch = faces_at_once(quality_model, batch)
    for start in range(0, len(rows), batch):
        block = rows[start : start + batch]
        measure[block] = quality_model(decode_faces([faces["jpeg"][int(i)].as_buffer() for i in block]))
    return pa.table([faces["face_id"], faces["identity"], pa.array(measure, mask=~has_face)], schema=MEASURES)


def _unchanged(faces: pa.Table, earlier: pa.Table, root: str, measures: Shard) -> tuple[Mask, NDArray[np.float32]]:
    """Which faces [n] an earlier shard has with the same bytes, and the measures of those."""
    row = pc.index_in(faces["face_id"], value_set=earlier["face_id"].combine_chunks())
    same = np.asarray(pc.equal(faces["jpeg"], earlier["jpeg"].take(row)).fill_null(False))
    values = read_shard(root, measures, ["measure"])["measure"].take(row.filter(pa.array(same)))
    return same, values.to_numpy()
