"""Batches of decoded faces: the same photos in the same order for any number of ranks and threads.

Every rank reads all chunks and decodes only its own part of a batch: reading takes a hundredth of the time of decoding.
The random numbers of the augmentation are drawn for the whole batch, from the seed and the batch's number.
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
from trainer.data.occlusion import NUMBERS, cover
from trainer.data.windows import Grouping, shuffled_windows
from trainer.losses.names import parse_loss
from trainer.losses.triplet import Triplet
from trainer.run import Run

BATCHES_AHEAD = 4  # batches that are decoded before the training loop needs them


class Batch(NamedTuple):
    """Faces [n, channels, size, size] uint8, RGB or grey, and their labels [n]."""

    faces: NDArray[np.uint8]
    label: IntArray


class PendingPhoto(NamedTuple):
    """A photo that is not decoded yet: its chunk, which a thread is still reading, and its row in the chunk."""

    chunk: Future[Chunk]
    row: int


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
        cv2.setNumThreads(0)  # the threads here each decode whole batches; OpenCV's own would only compete with them
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(self.threads) as decoder:
            decoding: deque[Future[Batch]] = deque()
            try:
                for number, photos in enumerate(self._photos_of_batches(reader), start=self.skip // self.run.batch):
                    decoding.append(decoder.submit(self._decode_batch, photos, number))
                    if len(decoding) > BATCHES_AHEAD:
                        yield decoding.popleft().result()
            finally:
                for batch in decoding:
                    batch.cancel()

    def _photos_of_batches(self, reader: ThreadPoolExecutor) -> Iterator[list[PendingPhoto]]:
        """The photos of this rank's part of each batch."""
        photos_per_rank = self.run.batch // self.ranks
        part = slice(self.rank * photos_per_rank, (self.rank + 1) * photos_per_rank)
        batch: list[PendingPhoto] = []
        for chunks, order in self._read_windows(reader):
            for chunk, row in order.tolist():
                batch.append(PendingPhoto(chunks[chunk], row))
                if len(batch) == self.run.batch:
                    yield batch[part]
                    batch = []

    def _read_windows(self, reader: ThreadPoolExecutor) -> Iterator[tuple[list[Future[Chunk]], IntArray]]:
        """The chunks and the photo order of each window; a window is read while the one before it is trained on."""
        head = parse_loss(self.run.loss).head
        photos = head.photos if isinstance(head, Triplet) else 1
        grouping = Grouping(self.data.labels, photos) if photos > 1 else None
        previous: tuple[list[Future[Chunk]], IntArray] | None = None
        for window in shuffled_windows(self.data.chunk_sizes, seed=self.run.seed, skip=self.skip, grouping=grouping):
            current = [reader.submit(self.data.read, int(c)) for c in window.chunks], window.order
            if previous:
                yield previous
            previous = current

    def _decode_batch(self, photos: list[PendingPhoto], number: int) -> Batch:
        """This rank's part of the batch with this number, decoded and augmented."""
        # random numbers are drawn for the photos of all ranks, so a photo gets the same ones on any number of ranks
        random = np.random.default_rng([self.run.seed, number, 1]).random((self.run.batch, 4))
        random = random[self.rank * len(photos) : (self.rank + 1) * len(photos)]
        rows = [(photo.chunk.result(), photo.row) for photo in photos]
        covers = self._covers(number)
        faces = [
            self._decode_face(c.jpeg[row], c.key[row], r, drawn)
            for (c, row), r, drawn in zip(rows, random, covers, strict=True)
        ]
        label = np.array([c.label[row] for c, row in rows], np.int64)
        return Batch(np.ascontiguousarray(np.stack(faces).transpose(0, 3, 1, 2)), label)

    def _covers(self, number: int) -> NDArray[np.float64]:
        """The random numbers [photos of this rank, 8] by which this batch's faces are covered."""
        photos = self.run.batch // self.ranks
        random = np.random.default_rng([self.run.seed, number, 2]).random((self.run.batch, NUMBERS))
        return random[self.rank * photos : (self.rank + 1) * photos]

    def _decode_face(
        self, jpeg: bytes | None, key: str, random: NDArray[np.float64], covers: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """One face; random [4] decides whether it is mirrored, whether augmented, by which change and how strongly.

        covers [8]: what is drawn on it (see occlusion.py).
        """
        face = decode_face(jpeg, size=self.run.size, channels=self.run.channels)
        if face is None:
            raise UserError(
                f"{key} in {self.data.path} is not a picture that can be decoded: refine or export it again"
            )
        # a mask is part of the scene, so light, blur and compression change it, too
        face = cover(face, covers, mask=self.run.mask, occlusion=self.run.occlusion)
        if random[1] < self.run.augment:
            face = augment(face, random[2], random[3])
        return face[:, ::-1] if random[0] < 0.5 else face
