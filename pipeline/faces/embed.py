"""The embeddings table, made with any ArcFace-kind ONNX model; the model's input format is read from its file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.accelerator import face_network
from pipeline.faces.accelerator.byte_session import IN_FLIGHT
from pipeline.faces.accelerator.devices import chosen_name
from pipeline.faces.accelerator.face_network import face_session, run_faces
from pipeline.faces.accelerator.model_graphs import InputFormat
from pipeline.faces.accelerator.preparation import prepare_threads
from pipeline.faces.accelerator.providers import usable_device
from pipeline.faces.align import SIZE
from pipeline.faces.protocols import FaceEmbedder, OnCard
from pipeline.faces.rows.stored_faces import decode_faces
from pipeline.schema import embeddings
from pipeline.tables.columns import vector_column, vectors
from pipeline.tables.prefetch import prefetch
from pipeline.tables.table import Shard, read_shard

BATCH = 4  # on a processor a batch that fits into the cache is fastest; a card has face_network.BATCH
FLIPS = ("none", "add", "concatenate")
NORMALISING = ({"Sub", "Mul"}, {"Sub", "Div"})  # nodes at a graph's start that normalise pixels of 0..255
FIRST_NODES = 8  # of a graph, among which these are looked for
Rows = NDArray[np.intp]


class EmbedderFormat(NamedTuple):
    """The format of a model's input faces and of its embeddings."""

    channels_first: bool  # input [n, 3, 112, 112], else [n, 112, 112, 3]
    raw: bool  # the input has pixels of 0..255, else (x - 127.5) / 127.5
    batch: int | None  # faces in a batch; None: any number
    dim: int  # length of an embedding


@dataclass(frozen=True)
class OnnxEmbedder:
    """An embedding model in an ONNX file (see protocols.FaceEmbedder)."""

    model: str
    flip: str = "none"  # the embedding of the mirrored face is not used (none), added (add), or appended (concatenate)
    device: str = field(default_factory=chosen_name)  # changes results by rounding at most

    def __post_init__(self) -> None:
        if self.flip not in FLIPS:
            raise UserError(f"unknown flip {self.flip!r}: give one of {', '.join(FLIPS)}")

    @property
    def named_by(self) -> list[Any]:
        """The digest of the model's file, not its path; and the flip."""
        return ["embedder", model_file.digest_of(self.model), self.flip]

    @property
    def on_card(self) -> bool:
        """Whether a card runs it, which wants batches. Raises UserError where the device cannot be used."""
        return usable_device(self.device).on_card

    @property
    def dim(self) -> int:
        """The length of an embedding."""
        return embedder_format(self.model).dim * (2 if self.flip == "concatenate" else 1)

    def __call__(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The embeddings [n, dim] of aligned faces [n, 112, 112, 3] in BGR, not normalised."""
        if self.on_card:
            return self.embed_batch(faces)
        x = self._run(faces)
        if self.flip == "none":
            return x
        mirrored = self._run(faces[:, :, ::-1])
        return x + mirrored if self.flip == "add" else np.concatenate([x, mirrored], axis=1)

    def embed_batch(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The same embeddings, but for rounding: bytes go to the device and are normalised there, mirrored ones too."""
        if not len(faces):
            return np.zeros((0, self.dim), np.float32)
        both = faces if self.flip == "none" else np.concatenate([faces, faces[:, :, ::-1]])
        x = run_faces(self.model, self._bytes_format(), usable_device(self.device), both)
        if self.flip == "none":
            return x
        own, mirrored = x[: len(faces)], x[len(faces) :]
        return own + mirrored if self.flip == "add" else np.concatenate([own, mirrored], axis=1)

    def on_device(self, faces: NDArray[np.uint8]) -> Callable[[], None]:
        """A function that runs the network alone on faces that lie on the device, to measure it."""
        return face_session(self.model, self._bytes_format(), usable_device(self.device)).on_device(faces)

    def _bytes_format(self) -> InputFormat:
        channels_first, raw, *_ = embedder_format(self.model)
        return InputFormat(*((0.0, 1.0) if raw else (127.5, 127.5)), channels_first=channels_first)

    def blob(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The model's input for faces [n, 112, 112, 3] in BGR, to measure the model alone."""
        input_format = embedder_format(self.model)
        pixels = faces[..., ::-1].transpose(0, 3, 1, 2) if input_format.channels_first else faces[..., ::-1]
        x: NDArray[np.float32] = np.ascontiguousarray(pixels).astype(np.float32)
        if not input_format.raw:
            x -= 127.5
            x /= 127.5
        return x

    def _run(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        input_format, session = embedder_format(self.model), model_file.session(self.model)
        x = self.blob(faces)
        input_name, step = session.get_inputs()[0].name, input_format.batch or max(1, len(x))
        outputs = []
        for start in range(0, len(x), step):
            chunk = x[start : start + step]
            if missing := step - len(chunk):
                chunk = np.concatenate([chunk, np.zeros((missing, *x.shape[1:]), np.float32)])
            outputs.append(session.run(None, {input_name: chunk})[0][: step - missing])
        return np.concatenate(outputs) if outputs else np.zeros((0, input_format.dim), np.float32)


@cache
def embedder_format(path: str) -> EmbedderFormat:
    """The format of the embedder in a file, read from the file and from one trial run.

    A graph that begins with subtraction and scaling takes raw pixels of 0..255 (InsightFace's rule: Sub and Mul among
    its first eight nodes). Raises UserError for a model that does not take 112x112 colour faces, or does not give one
    vector for each face.
    """
    graph = model_file.graph(path)
    session = model_file.session(path)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = [d if isinstance(d, int) else None for d in inputs[0].shape]
    if len(inputs) != 1 or len(outputs) != 1 or shape[1:] not in ([3, SIZE, SIZE], [SIZE, SIZE, 3]):
        raise UserError(
            f"{path} is not an embedder of {SIZE}x{SIZE} colour faces (its input is {inputs[0].name} "
            f"{inputs[0].shape}, it has {len(outputs)} outputs): give an ArcFace-kind model"
        )
    trial = np.zeros([1 if d is None else d for d in shape], np.float32)
    vector = model_file.trial_run(path, {inputs[0].name: trial})[0]
    if vector.ndim != 2 or len(vector) != len(trial):
        raise UserError(
            f"{path} gives {vector.shape} for {len(trial)} faces: an embedder gives one vector for each: "
            "give an ArcFace-kind model"
        )
    first_kinds = {node.op_type for node in graph.node[:FIRST_NODES]}
    raw = any(kinds <= first_kinds for kinds in NORMALISING)
    return EmbedderFormat(shape[1] == 3, raw, shape[0], int(vector.shape[1]))


def embed_shard(
    part: Shard, *, root: str, embedder: FaceEmbedder, batch: int, reuse: Sequence[tuple[Shard, Shard]] = ()
) -> pa.Table:
    """The embeddings of one shard of faces, row by row; null where there is no face.

    batch: faces embedded at a time on a processor; a card takes more. reuse: pairs of a shard of faces of an earlier
    run and the shard of embeddings that the same embedder made from it. The embedding of an unchanged face is copied
    from there: it does not depend on the other faces in its batch (on a card only by rounding). Raises UserError when
    an embedding is not finite.
    """
    faces = read_shard(root, part, ["face_id", "identity", "jpeg"])
    has_face = np.asarray(faces["jpeg"].is_valid())
    x = np.zeros((len(faces), embedder.dim), np.float16)
    norm = np.zeros(len(faces), np.float32)
    to_embed = has_face.copy()
    for earlier_faces, earlier_embeddings in reuse:
        rows, earlier_rows = _unchanged_faces(faces, read_shard(root, earlier_faces, ["face_id", "jpeg"]))
        earlier = read_shard(root, earlier_embeddings, ["x", "norm"])
        x[rows], norm[rows] = vectors(earlier["x"])[0][earlier_rows], earlier["norm"].to_numpy()[earlier_rows]
        to_embed[rows] = False
    for rows, embedded in _embedded(faces["jpeg"], np.flatnonzero(to_embed), embedder, batch):
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
            norm[rows] = np.linalg.norm(embedded, axis=1)
            x[rows] = embedded / np.maximum(norm[rows], 1e-12)[:, None]
    check_embeddings(norm[has_face], faces["face_id"].filter(pa.array(has_face)), embedder)
    columns = [faces["face_id"], faces["identity"], vector_column(x, has_face), pa.array(norm, mask=~has_face)]
    return pa.table(columns, schema=embeddings(embedder.dim))


def check_embeddings(norm: NDArray[np.floating], face_ids: pa.ChunkedArray, embedder: FaceEmbedder) -> None:
    """Raise UserError when the norm [n] of an embedding is not finite, as it is when a number of the embedding is not.

    A comparison with nan is never true, so such faces would match nobody, and their model would look perfect.
    """
    wrong = np.flatnonzero(~np.isfinite(norm))
    if len(wrong):
        raise UserError(
            f"{embedder.model} gives embeddings that are not finite for {len(wrong)} of {len(norm)} faces, such as "
            f"{face_ids[int(wrong[0])]}: give another model, or train this one again"
        )


def _unchanged_faces(faces: pa.Table, earlier: pa.Table) -> tuple[Rows, Rows]:
    """The rows with the same face_id and the same bytes in both tables: row i [n] of faces is row j [n] of earlier."""
    earlier_row = pc.index_in(faces["face_id"], value_set=earlier["face_id"].combine_chunks())
    unchanged = np.flatnonzero(pc.equal(faces["jpeg"], earlier["jpeg"].take(earlier_row)).fill_null(False))
    return unchanged, earlier_row.take(pa.array(unchanged)).to_numpy()


def _embedded(
    jpegs: pa.ChunkedArray, rows: Rows, embedder: FaceEmbedder, batch: int
) -> Iterator[tuple[Rows, NDArray[np.float32]]]:
    """The rows of each batch and their embeddings [n, dim]; while a card works on one, the next is copied to it."""

    def embed(faces: tuple[Rows, NDArray[np.uint8]]) -> tuple[Rows, NDArray[np.float32]]:
        return faces[0], embedder(faces[1])

    size, threads = face_network.faces_at_once(embedder, batch), prepare_threads(embedder)
    batches = _batches(jpegs, rows, size, threads)
    if isinstance(embedder, OnCard) and embedder.on_card:
        return prefetch(embed, batches, threads=IN_FLIGHT, per_thread=1)
    return map(embed, batches)


def _batches(jpegs: pa.ChunkedArray, rows: Rows, size: int, threads: int) -> Iterator[tuple[Rows, NDArray[np.uint8]]]:
    """Batches of `size` rows with their faces [n, 112, 112, 3]; other threads decode the next batches meanwhile."""

    def decode_batch(start: int) -> tuple[Rows, NDArray[np.uint8]]:
        batch = rows[start : start + size]
        return batch, decode_faces([jpegs[int(i)].as_buffer() for i in batch])

    return prefetch(decode_batch, range(0, len(rows), size), threads=threads)
