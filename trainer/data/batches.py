"""Batches of faces: the same photos in the same order whatever the number of ranks and threads.

Every rank reads all chunks and decodes only its own share of a batch: reading costs a hundredth of decoding. Random
changes to a face are drawn for the whole batch from the seed and the batch's number.
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
from trainer.data.chunk import Chunk, Int
from trainer.data.decode import decode_face
from trainer.data.shards import Faces
from trainer.data.windows import Grouping, shuffled_windows
from trainer.losses.names import parse_loss
from trainer.losses.triplet import Triplet
from trainer.run import Run

BATCHES_AHEAD = 4  # decoded before they are asked for


class Batch(NamedTuple):
    """Faces [n, channels, size, size] uint8, RGB or grey, and their labels [n]."""

    faces: NDArray[np.uint8]
    label: Int


class Picture(NamedTuple):
    """A photo that is about to be decoded: the chunk that is being read, and the photo's row in it."""

    chunk: Future[Chunk]
    row: int


@dataclass(frozen=True)
class BatchStream:
    """The endless batches of one rank; seen: photos of the whole stream, of all ranks, that were trained on before."""

    data: Faces
    run: Run
    _: KW_ONLY
    rank: int = 0
    ranks: int = 1
    seen: int = 0
    threads: int = 1

    def __iter__(self) -> Iterator[Batch]:
        if self.run.batch % (self.ranks * self.run.accumulate):
            parts = f"{self.ranks} ranks x {self.run.accumulate} parts"
            raise UserError(f"batch {self.run.batch} cannot be cut into {parts}: give a multiple")
        cv2.setNumThreads(0)  # the threads here each decode whole batches; OpenCV's own would only compete with them
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(self.threads) as decoder:
            ready: deque[Future[Batch]] = deque()
            try:
                for number, pictures in enumerate(self._pictures(reader), start=self.seen // self.run.batch):
                    ready.append(decoder.submit(self._decode, pictures, number))
                    if len(ready) > BATCHES_AHEAD:
                        yield ready.popleft().result()
            finally:
                for waiting in ready:
                    waiting.cancel()

    def _pictures(self, reader: ThreadPoolExecutor) -> Iterator[list[Picture]]:
        """This rank's share of each batch."""
        share = self.run.batch // self.ranks
        mine = slice(self.rank * share, (self.rank + 1) * share)
        batch: list[Picture] = []
        for chunks, order in self._read(reader):
            for which, row in order.tolist():
                batch.append(Picture(chunks[which], row))
                if len(batch) == self.run.batch:
                    yield batch[mine]
                    batch = []

    def _read(self, reader: ThreadPoolExecutor) -> Iterator[tuple[list[Future[Chunk]], Int]]:
        """The chunks and photo order of each window; it is read while the window before it is trained on."""
        head = parse_loss(self.run.loss).head
        photos = head.photos if isinstance(head, Triplet) else 1
        grouping = Grouping(self.data.labels, photos) if photos > 1 else None
        previous: tuple[list[Future[Chunk]], Int] | None = None
        for window in shuffled_windows(self.data.rows, seed=self.run.seed, seen=self.seen, grouping=grouping):
            current = [reader.submit(self.data.read, int(c)) for c in window.chunks], window.order
            if previous:
                yield previous
            previous = current

    def _decode(self, pictures: list[Picture], number: int) -> Batch:
        """The batch of this number; random numbers are drawn for all ranks' photos, so ranks change nothing."""
        random = np.random.default_rng([self.run.seed, number, 1]).random((self.run.batch, 4))
        mine = random[self.rank * len(pictures) : (self.rank + 1) * len(pictures)]
        photos = [(picture.chunk.result(), picture.row) for picture in pictures]
        faces = [self._face(c.jpeg[row], c.name[row], r) for (c, row), r in zip(photos, mine, strict=True)]
        label = np.array([c.label[row] for c, row in photos], np.int64)
        return Batch(np.ascontiguousarray(np.stack(faces).transpose(0, 3, 1, 2)), label)

    def _face(self, jpeg: bytes | None, name: str, random: NDArray[np.float64]) -> NDArray[np.uint8]:
        """One face, changed as its random numbers [4] say: mirrored or not, augmented or not, how, how much."""
        face = decode_face(jpeg, size=self.run.size, channels=self.run.channels)
        if face is None:
            raise UserError(f"{name} in {self.data.path} is no picture that can be decoded: refine or export it again")
        if random[1] < self.run.augment:
            face = augment(face, random[2], random[3])
        return face[:, ::-1] if random[0] < 0.5 else face
