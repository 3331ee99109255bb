"""Batches of faces in a shuffled order that depends on the seed alone: not on ranks, threads, or where a run stopped.

Chunks are shuffled whole, some are held in memory, and their photos are shuffled among each other; so the disk is read
in long pieces. The place in this order is one number, the photos seen, and it is all that a checkpoint has to keep.
A triplet loss gets groups of a person's photos, as many as a window in memory holds of each.
Every rank reads the chunks and decodes only its own share of a batch: reading costs a hundredth of decoding.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.data.augment import change
from trainer.data.shards import Content, Faces, Int
from trainer.losses.names import parse_loss
from trainer.losses.triplet import Triplet
from trainer.run import Run

BUFFER = 32_768  # photos shuffled among each other: about 250 MB, twice while the next ones are read
AHEAD = 4  # batches decoded before they are asked for


class Batch(NamedTuple):
    """Faces [n, channels, size, size] uint8, RGB or grey, and their labels [n]."""

    faces: NDArray[np.uint8]
    label: Int


class Window(NamedTuple):
    """Chunks [c] that are in memory together, and the photos of them in order: (which of the c, row) [n, 2]."""

    chunks: Int
    order: Int


class Together(NamedTuple):
    """Up to `photos` of a person shall follow one another; labels [n]: of all photos, chunk after chunk."""

    labels: Int
    photos: int


def windows(
    rows: Int, *, seed: int, seen: int = 0, buffer: int = BUFFER, together: Together | None = None
) -> Iterator[Window]:
    """The windows of an endless stream over chunks of `rows` photos each, from photo `seen` on; epoch after epoch."""
    first = np.cumsum(rows) - rows
    epoch, skip = divmod(seen, int(rows.sum()))
    for e in count(epoch):
        order = np.random.default_rng([seed, e]).permutation(len(rows))
        borders = np.searchsorted(np.cumsum(rows[order]), np.arange(buffer, int(rows.sum()), buffer))
        for w, chunks in enumerate(np.split(order, np.unique(borders + 1))):
            photos = np.concatenate(
                [np.stack(np.broadcast_arrays(i, np.arange(rows[c])), 1) for i, c in enumerate(chunks)]
                or [np.zeros((0, 2), np.int64)]
            )
            left = max(0, skip)
            skip -= len(photos)
            if left < len(photos):
                rng = np.random.default_rng([seed, e, w])
                if together:
                    label = together.labels[first[chunks][photos[:, 0]] + photos[:, 1]]
                    photos = photos[_by_person(label, together.photos, rng)]
                else:
                    photos = rng.permutation(photos)
                yield Window(chunks, photos[left:])
        skip = 0


def _by_person(label: Int, photos: int, rng: np.random.Generator) -> Int:
    """An order [n] of photos in which up to so many of a person follow one another, and people are mixed."""
    order = rng.permutation(len(label))
    order = order[np.argsort(label[order], kind="stable")]
    ordered = label[order]
    number = np.arange(len(label)) - np.searchsorted(ordered, ordered)  # of a photo among its person's
    group = np.cumsum(number % photos == 0) - 1
    return order[np.argsort(rng.permutation(len(label))[group], kind="stable")]


@dataclass(frozen=True)
class Stream:
    """The batches of one rank, endless, from photo `seen` of the whole stream on."""

    data: Faces
    run: Run
    rank: int = 0
    ranks: int = 1
    seen: int = 0
    threads: int = 1

    def __iter__(self) -> Iterator[Batch]:
        if self.run.batch % (self.ranks * self.run.accumulate):
            cut = f"{self.ranks} ranks x {self.run.accumulate} parts"
            raise UserError(f"batch {self.run.batch} cannot be cut into {cut}: give a multiple")
        cv2.setNumThreads(0)  # the threads here decode whole batches; more inside each would only wait
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(self.threads) as decoder:
            ready: deque[Future[Batch]] = deque()
            try:
                for number, picks in enumerate(self._picks(reader), start=self.seen // self.run.batch):
                    ready.append(decoder.submit(self._decode, picks, number))
                    if len(ready) > AHEAD:
                        yield ready.popleft().result()
            finally:
                for waiting in ready:
                    waiting.cancel()

    def _picks(self, reader: ThreadPoolExecutor) -> Iterator[list[tuple[Future[Content], int]]]:
        """This rank's share of each batch: chunks that are being read, and rows of them."""
        share = self.run.batch // self.ranks
        mine = slice(self.rank * share, (self.rank + 1) * share)
        batch: list[tuple[Future[Content], int]] = []
        for contents, order in self._read(reader):
            for which, row in order.tolist():
                batch.append((contents[which], row))
                if len(batch) == self.run.batch:
                    yield batch[mine]
                    batch = []

    def _read(self, reader: ThreadPoolExecutor) -> Iterator[tuple[list[Future[Content]], Int]]:
        """The windows, each being read while the one before it is used."""
        head = parse_loss(self.run.loss).head
        photos = head.photos if isinstance(head, Triplet) else 1
        together = Together(self.data.labels, photos) if photos > 1 else None
        earlier: tuple[list[Future[Content]], Int] | None = None
        for chunks, order in windows(self.data.rows, seed=self.run.seed, seen=self.seen, together=together):
            coming = [reader.submit(self.data.read, int(c)) for c in chunks], order
            if earlier:
                yield earlier
            earlier = coming

    def _decode(self, picks: list[tuple[Future[Content], int]], number: int) -> Batch:
        """The faces of some picks; what is drawn at random is drawn for the whole batch, so ranks change nothing."""
        drawn = np.random.default_rng([self.run.seed, number, 1]).random((self.run.batch, 4))
        chance = drawn[self.rank * len(picks) : (self.rank + 1) * len(picks)]
        contents = [(content.result(), row) for content, row in picks]
        faces = [self._face(c.jpeg[row], c.name[row], x) for (c, row), x in zip(contents, chance, strict=True)]
        label = np.array([c.label[row] for c, row in contents], np.int64)
        stacked = np.stack(faces).transpose(0, 3, 1, 2)
        return Batch(np.ascontiguousarray(stacked), label)

    def _face(self, jpeg: bytes | None, name: str, chance: NDArray[np.float64]) -> NDArray[np.uint8]:
        face = decode(jpeg, size=self.run.size, channels=self.run.channels)
        if face is None:
            raise UserError(f"{name} in {self.data.path} is no picture that can be decoded: refine or export it again")
        if chance[1] < self.run.augment:
            face = change(face, chance[2], chance[3])
        return face[:, ::-1] if chance[0] < 0.5 else face


def decode(jpeg: bytes | None, *, size: int, channels: int) -> NDArray[np.uint8] | None:
    """A picture as [size, size, channels], RGB or grey; None when it is none."""
    if not jpeg:
        return None
    kind = cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE
    face = cv2.imdecode(np.frombuffer(jpeg, np.uint8), kind)
    return None if face is None else fit(face if channels == 1 else face[..., ::-1], size=size)


def fit(face: NDArray[np.uint8], *, size: int) -> NDArray[np.uint8]:
    """A picture [h, w] or [h, w, c] as [size, size, c]."""
    if face.shape[:2] != (size, size):
        shrinks = face.shape[0] > size
        face = cv2.resize(np.ascontiguousarray(face), (size, size), interpolation=3 if shrinks else 1)  # area, linear
    return np.asarray(face[..., None] if face.ndim == 2 else face)
