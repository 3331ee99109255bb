"""The content of a gzip file as a stream that can be read at any place, without unpacking the file.

A photo in a .tar.gz has a place in the archive, but none in the file. One idea: while the content is streamed, the
state of the decompressor is kept every so often, a checkpoint of about 40 KB, and reading goes on from the last one
before the place. Nothing is written: a process without checkpoints streams up to the place once, and makes them.
"""

import io
import os
import zlib
from bisect import bisect_right
from threading import Lock
from typing import Any, BinaryIO, NamedTuple

INPUT = 1 << 14  # bytes of the file that are decompressed at a time
SPACING = 1 << 20  # bytes of content from one checkpoint to the next: on average half of it is decompressed for a photo
MAX_CHECKPOINTS = 1024  # of a process, about 50 MB; where files need more, they lie farther apart
# the content is at most so many times the file, and 64 MiB: pictures hardly shrink, and what grows more is an attack
MAX_RATIO, FREE = 100, 1 << 26
GZIP = 16 + zlib.MAX_WBITS

Version = tuple[int, int, int, int]  # of a file: its device, inode, size and modification time


class DamagedContent(Exception):  # noqa: N818  a fact about the file
    """A gzip file is cut off, damaged, or grows beyond measure; the message says which."""


class Checkpoint(NamedTuple):
    """Where decompression can go on: a place in the content, the next byte of the file, the decompressor's state."""

    place: int
    offset: int
    state: Any  # of zlib.decompressobj


class Checkpoints:
    """The checkpoints of all gzip files that a process reads, at most `limit` of them; threads share them."""

    def __init__(self, spacing: int = SPACING, limit: int = MAX_CHECKPOINTS) -> None:
        self.spacing, self.limit = spacing, limit
        self._of_file: dict[Version, list[Checkpoint]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return sum(map(len, self._of_file.values()))

    def before(self, file: Version, place: int) -> Checkpoint:
        """The last checkpoint at or before a place of a file's content, a copy of its own; else the beginning."""
        with self._lock:
            known = self._of_file.get(file, [])
            i = bisect_right(known, place, key=lambda checkpoint: checkpoint.place)
            if not i:
                return Checkpoint(0, 0, zlib.decompressobj(GZIP))
            return known[i - 1]._replace(state=known[i - 1].state.copy())

    def add(self, file: Version, place: int, offset: int, state: Any) -> None:
        """Keep a checkpoint if it is far enough behind the last one of its file."""
        with self._lock:
            known = self._of_file.setdefault(file, [])
            if place < (known[-1].place if known else 0) + self.spacing:
                return
            known.append(Checkpoint(place, offset, state.copy()))
            if len(self) > self.limit:
                self.spacing *= 2
                self._of_file = {name: _thinned(points, self.spacing) for name, points in self._of_file.items()}


CHECKPOINTS = Checkpoints()


class GzipContent(io.RawIOBase):
    """The content of a gzip file, which may consist of several members; raises DamagedContent while it is read."""

    def __init__(self, file: BinaryIO, checkpoints: Checkpoints = CHECKPOINTS) -> None:
        """file: opened for reading; it stays open."""
        status = os.fstat(file.fileno())
        self._file, self._checkpoints = file, checkpoints
        self._version = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        self._wanted = 0  # the place that is read next
        self._start(checkpoints.before(self._version, 0))

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether any place can be read: always."""
        return True

    def tell(self) -> int:
        """The place that is read next."""
        return self._wanted

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Choose the place that is read next; not from the end, which is not known."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of gzip content is not known")
        self._wanted = offset + (self._wanted if whence == io.SEEK_CUR else 0)
        return self._wanted

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer from the chosen place on, and return how many bytes it holds; 0 at the end."""
        view = memoryview(buffer).cast("B")
        data = self._next(len(view)) if self._reach(self._wanted) else b""
        view[: len(data)] = data
        self._wanted += len(data)
        return len(data)

    def _reach(self, place: int) -> bool:
        """Decompress up to a place; False where the content ends before it."""
        if not 0 <= place - self._place < self._checkpoints.spacing:
            nearest = self._checkpoints.before(self._version, place)
            if place < self._place or nearest.place > self._place:
                self._start(nearest)
        while self._place < place:
            if not self._next(min(place - self._place, 4 * INPUT)):
                return False
        return True

    def _start(self, checkpoint: Checkpoint) -> None:
        self._place, offset, self._state = checkpoint
        self._input = b""
        self._file.seek(offset)

    def _next(self, size: int) -> bytes:
        """The next bytes of the content, at least one and at most `size`; none at the end."""
        while True:
            fed = self._input or self._file.read(INPUT)
            if self._state.eof:  # another member may follow, and the zeros by which tapes are filled up
                self._input = fed.lstrip(b"\0")
                if not fed:
                    return b""
                if self._input:
                    self._state = zlib.decompressobj(GZIP)
                continue
            try:
                data: bytes = self._state.decompress(fed, size)
            except zlib.error as error:
                raise DamagedContent(str(error)) from None
            self._input = self._state.unused_data if self._state.eof else self._state.unconsumed_tail
            if data:
                self._count(len(data))
                return data
            if not fed and not self._state.eof:
                raise DamagedContent(f"it ends after {self._place} bytes of its content, before its end")

    def _count(self, size: int) -> None:
        """Go on by so many bytes of content, and keep a checkpoint where one is due."""
        self._place += size
        offset = self._file.tell() - len(self._input)
        if self._place > MAX_RATIO * offset + FREE:
            raise DamagedContent(f"its content is more than {MAX_RATIO} times its size, which that of no photos is")
        if not self._state.eof:
            self._checkpoints.add(self._version, self._place, offset, self._state)


def _thinned(points: list[Checkpoint], spacing: int) -> list[Checkpoint]:
    """Those checkpoints of a file that are at least so far apart, from the beginning on."""
    kept: list[Checkpoint] = []
    for point in points:
        if point.place >= (kept[-1].place if kept else 0) + spacing:
            kept.append(point)
    return kept
