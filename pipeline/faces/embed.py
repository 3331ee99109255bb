"""From faces to vectors: any ArcFace-kind ONNX model, asked the way the file itself says it wants to be asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.align import SIZE
from pipeline.faces.protocols import FaceEmbedder
from pipeline.schema import embeddings
from pipeline.tables.columns import vector_column, vectors
from pipeline.tables.prefetch import prefetch
from pipeline.tables.table import Shard, read_shard

BATCH = 4 if model_file.providers()[0] == "CPUExecutionProvider" else 256  # on a CPU what fits its cache is fastest
FLIPS = ("none", "add", "concatenate")
NORMALISING = ({"Sub", "Mul"}, {"Sub", "Div"})  # nodes at a graph's start that say the input is raw 0..255


class Layout(NamedTuple):
    """How a model wants its faces: channels first or last, raw 0..255 or (x - 127.5) / 127.5, how many at once."""

    channels_first: bool
    raw: bool
    batch: int | None
    dim: int


@dataclass(frozen=True)
class OnnxEmbedder:
    """An embedding model in an ONNX file; calling it gives the vectors of a batch of faces."""

    model: str
    flip: str = "none"  # the mirrored face's vector is not used, added, or appended

    def __post_init__(self) -> None:
        if self.flip not in FLIPS:
            raise UserError(f"flip {self.flip!r} is not known: give one of {', '.join(FLIPS)}")

    @property
    def named_by(self) -> list[Any]:
        """What of the embedder names a table: the file's digest and the flip, not where the file lies."""
        return ["embedder", model_file.digest_of(self.model), self.flip]

    @property
    def dim(self) -> int:
        """The length of the vectors."""
        return layout_of(self.model).dim * (2 if self.flip == "concatenate" else 1)

    def __call__(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The vectors [n, dim] of aligned faces [n, 112, 112, 3] in BGR, as long as the model made them."""
        x = self._run(faces)
        if self.flip == "none":
            return x
        mirrored = self._run(faces[:, :, ::-1])
        return x + mirrored if self.flip == "add" else np.concatenate([x, mirrored], axis=1)

    def blob(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The tensor of faces [n, 112, 112, 3] in BGR as the model wants it."""
        layout = layout_of(self.model)
        pixels = faces[..., ::-1].transpose(0, 3, 1, 2) if layout.channels_first else faces[..., ::-1]
        x: NDArray[np.float32] = np.ascontiguousarray(pixels).astype(np.float32)
        if not layout.raw:
            x -= 127.5
            x /= 127.5
        return x

    def _run(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        layout, network = layout_of(self.model), model_file.session(self.model)
        x = self.blob(faces)
        name, step = network.get_inputs()[0].name, layout.batch or max(1, len(x))
        done = []
        for start in range(0, len(x), step):
            chunk = x[start : start + step]
            if missing := step - len(chunk):
                chunk = np.concatenate([chunk, np.zeros((missing, *x.shape[1:]), np.float32)])
            done.append(network.run(None, {name: chunk})[0][: step - missing])
        return np.concatenate(done) if done else np.zeros((0, layout.dim), np.float32)


@cache
def layout_of(path: str) -> Layout:
    """How the model in a file wants its faces and how long its vectors are, read from the file and from one trial.

    A graph that begins by subtracting and scaling takes raw values (InsightFace's own rule: Sub and Mul among its first
    eight nodes). Raises UserError for a model that takes anything but 112x112 colour faces or gives no vector each.
    """
    graph = model_file.graph(path)
    network = model_file.session(path)
    inputs, outputs = network.get_inputs(), network.get_outputs()
    shape = [d if isinstance(d, int) else None for d in inputs[0].shape]
    if len(inputs) != 1 or len(outputs) != 1 or shape[1:] not in ([3, SIZE, SIZE], [SIZE, SIZE, 3]):
        raise UserError(
            f"{path} is no embedder of {SIZE}x{SIZE} colour faces (its input is {inputs[0].name} {inputs[0].shape}, "
            f"it has {len(outputs)} outputs): give an ArcFace-kind model"
        )
    first = {node.op_type for node in graph.node[:8]}
    trial = np.zeros([1 if d is None else d for d in shape], np.float32)
    vector = network.run(None, {inputs[0].name: trial})[0]
    if vector.ndim != 2 or len(vector) != len(trial):
        raise UserError(f"{path} gives {vector.shape} for {len(trial)} faces: an embedder gives one vector for each")
    raw = any(nodes <= first for nodes in NORMALISING)
    return Layout(shape[1] == 3, raw, shape[0], int(vector.shape[1]))


def embed_shard(
    part: Shard, *, root: str, embedder: FaceEmbedder, batch: int, reuse: Sequence[tuple[Shard, Shard]] = ()
) -> pa.Table:
    """The embeddings of one shard of faces, row by row; null where there is no face.

    reuse: shards of faces of a former run and the embeddings made of them just so; the same picture is not embedded
    again (a vector does not depend on what else is in its batch; on a GPU not beyond rounding).
    """
    faces = read_shard(root, part, ["face_id", "identity", "jpeg"])
    there = np.asarray(faces["jpeg"].is_valid())
    x = np.zeros((len(faces), embedder.dim), np.float16)
    norm = np.zeros(len(faces), np.float32)
    left = there.copy()
    for then, vectors_then in reuse:
        now, at = _same_pictures(faces, read_shard(root, then, ["face_id", "jpeg"]))
        made = read_shard(root, vectors_then, ["x", "norm"])
        x[now], norm[now], left[now] = vectors(made["x"])[0][at], made["norm"].to_numpy()[at], False
    for rows, pictures in _batches(faces["jpeg"], np.flatnonzero(left), batch):
        found = embedder(pictures)
        norm[rows] = np.linalg.norm(found, axis=1)
        x[rows] = found / np.maximum(norm[rows], 1e-12)[:, None]
    columns = [faces["face_id"], faces["identity"], vector_column(x, there), pa.array(norm, mask=~there)]
    return pa.table(columns, schema=embeddings(embedder.dim))


def _same_pictures(now: pa.Table, then: pa.Table) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of two tables of faces that are the same face and the same picture."""
    at = pc.index_in(now["face_id"], value_set=then["face_id"].combine_chunks())
    same = np.flatnonzero(pc.equal(now["jpeg"], then["jpeg"].take(at)).fill_null(False))
    return same, at.take(pa.array(same)).to_numpy()


def _batches(
    jpegs: pa.ChunkedArray, rows: NDArray[np.intp], size: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
    """Rows, so many at a time, and their pictures [n, 112, 112, 3]; the next ones are decoded meanwhile."""

    def decoded(start: int) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
        chosen = rows[start : start + size]
        data = [np.frombuffer(jpegs[int(i)].as_buffer(), np.uint8) for i in chosen]
        return chosen, np.stack([np.asarray(cv2.imdecode(d, cv2.IMREAD_COLOR), np.uint8) for d in data])

    return prefetch(decoded, range(0, len(rows), size), threads=model_file.HELPERS)
