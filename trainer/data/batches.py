"""Batches of decoded faces: the same photos in the same order for any number of ranks and threads.

Every rank reads all chunks and decodes only its own part of a batch: reading takes a hundredth of the time of decoding.
A part is decoded in pieces, so that more threads than batches ahead have work. The random numbers of the augmentation
are drawn for the whole batch, from the seed and the batch's number.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.data.augment import augment
from trainer.data.chunk import Chunk, IntArray
from trainer.data.data_set import Faces
from trainer.data.decode import decode_face
from trainer.data.windows import Grouping, shuffled_windows
from trainer.losses.names import parse_loss
from trainer.losses.triplet import Triplet
from trainer.run import Run

BATCHES_AHEAD = 4  # batches that are decoded before the training loop needs them


class Batch(NamedTuple):
    """A rank's faces [n, channels, size, size] uint8, RGB or grey, their labels [n], and those of all ranks [batch]."""

    faces: NDArray[np.uint8]
    label: IntArray
    all_labels: IntArray


class PendingPhoto(NamedTuple):
    """A photo that is not decoded yet: its chunk, which a thread is still reading, and its row in the chunk."""

    chunk: Future[Chunk]
    row: int


class PendingBatch(NamedTuple):
    """A rank's batch while its pieces are decoded into `faces`."""

    batch: Batch
    pieces: list[Future[None]]


@dataclass(frozen=True)
class BatchStream:
    """The endless stream of one rank's batches.

    skip: photos at the start of the stream, counted over all ranks, that were already trained on. threads: of decoding.
    """

    data: Faces
    run: Run
    _: KW_ONLY
    rank: int = 0
    ranks: int = 1
    skip: int = 0
    threads: int = 1

    def __iter__(self) -> Iterator[Batch]:
        if self.run.batch % (self.ranks * self.run.accumulate):
            parts = f"{self.ranks} ranks x {self.run.accumulate} micro-batches"
            raise UserError(f"batch {self.run.batch} cannot be divided into {parts}: give a multiple of their product")
        cv2.setNumThreads(0)  # the threads here each decode a piece; OpenCV's own would only compete with them
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(self.threads) as decoder:
            pending: deque[PendingBatch] = deque()
            try:
                for number, (photos, labels) in enumerate(self._batches(reader), start=self.skip // self.run.batch):
                    pending.append(self._submit(decoder, photos, labels, number))
                    if len(pending) > BATCHES_AHEAD:
                        batch, pieces = pending.popleft()
                        for piece in pieces:
                            piece.result()
                        yield batch
            finally:
                for piece in [piece for batch in pending for piece in batch.pieces]:
                    piece.cancel()

    def _batches(self, reader: ThreadPoolExecutor) -> Iterator[tuple[list[PendingPhoto], IntArray]]:
        """This rank's photos of each batch, and the labels [batch] of all ranks' photos."""
        part = self._part()
        photos: list[PendingPhoto] = []
        labels: list[int] = []
        for chunks, order, label in self._read_windows(reader):
            for (chunk, row), photo_label in zip(order.tolist(), label.tolist(), strict=True):
                photos.append(PendingPhoto(chunks[chunk], row))
                labels.append(photo_label)
                if len(photos) == self.run.batch:
                    yield photos[part], np.array(labels, np.int64)
                    photos, labels = [], []

    def _part(self) -> slice:
        """This rank's photos among those of a batch."""
        photos_per_rank = self.run.batch // self.ranks
        return slice(self.rank * photos_per_rank, (self.rank + 1) * photos_per_rank)

    def _read_windows(self, reader: ThreadPoolExecutor) -> Iterator[tuple[list[Future[Chunk]], IntArray, IntArray]]:
        """The chunks of each window, the order of its photos, and their labels in this order.

        A window is read while the one before it is trained on.
        """
        head = parse_loss(self.run.loss).head
        photos = head.photos if isinstance(head, Triplet) else 1
        grouping = Grouping(self.data.labels, photos) if photos > 1 else None
        sizes = self.data.chunk_sizes
        first_photo = np.cumsum(sizes) - sizes  # of each chunk
        previous: tuple[list[Future[Chunk]], IntArray, IntArray] | None = None
        for window in shuffled_windows(sizes, seed=self.run.seed, skip=self.skip, grouping=grouping):
            labels = self.data.labels[first_photo[window.chunks][window.order[:, 0]] + window.order[:, 1]]
            current = [reader.submit(self.data.read, int(c)) for c in window.chunks], window.order, labels
            if previous:
                yield previous
            previous = current

    def _submit(
        self, decoder: ThreadPoolExecutor, photos: list[PendingPhoto], labels: IntArray, number: int
    ) -> PendingBatch:
        """Start to decode this rank's part of the batch with this number."""
        # random numbers are drawn for the photos of all ranks, so a photo gets the same ones on any number of ranks
        random = np.random.default_rng([self.run.seed, number, 1]).random((self.run.batch, 4))[self._part()]
        faces = np.empty((len(photos), self.run.channels, self.run.size, self.run.size), np.uint8)
        size = max(1, BATCHES_AHEAD * len(photos) // (2 * self.threads))  # two pieces for each thread
        starts = range(0, len(photos), size)
        pieces = [
            decoder.submit(self._decode_piece, photos[i : i + size], random[i : i + size], faces[i : i + size])
            for i in starts
        ]
        return PendingBatch(Batch(faces, labels[self._part()], labels), pieces)

    def _decode_piece(self, photos: list[PendingPhoto], random: NDArray[np.float64], faces: NDArray[np.uint8]) -> None:
        """Decode and augment photos [n] into faces [n, c, s, s]."""
        for i, (chunk, row) in enumerate(photos):
            content = chunk.result()
            faces[i] = self._decode_face(content.jpeg[row], content.key[row], random[i]).transpose(2, 0, 1)

    def _decode_face(self, jpeg: bytes | None, key: str, random: NDArray[np.float64]) -> NDArray[np.uint8]:
        """One face; random [4] decides whether it is mirrored, whether augmented, by which change and how strongly."""
        face = decode_face(jpeg, size=self.run.size, channels=self.run.channels)
        if face is None:
            raise UserError(
                f"{key} in {self.data.path} is not a picture that can be decoded: refine or export it again"
            )
        if random[1] < self.run.augment:
            face = augment(face, random[2], random[3])
        return face[:, ::-1] if random[0] < 0.5 else face
