"""The content of gzip files read at any place equals what gzip unpacks; checkpoints are few, bombs are refused."""

import gzip
import io
import random
import tracemalloc
from pathlib import Path

import pytest

from pipeline.sources.formats.gzip_content import MAX_RATIO, Checkpoints, DamagedContent, GzipContent

RNG = random.Random(7)
CONTENT = b"".join(RNG.randbytes(700) * RNG.randint(1, 9) for _ in range(150))  # partly compressible


def packed(path: Path, *members: bytes) -> Path:
    path.write_bytes(b"".join(gzip.compress(member, 6) for member in members))
    return path


@pytest.mark.parametrize("level", [1, 9])
@pytest.mark.parametrize("members", [1, 3])
def test_any_place_is_read_in_any_order(tmp_path: Path, level: int, members: int) -> None:
    size = -(-len(CONTENT) // members)
    pieces = [CONTENT[i * size : (i + 1) * size] for i in range(members)]
    data = b"".join(gzip.compress(piece, level) for piece in pieces) + bytes(700)  # as on a tape
    (tmp_path / "x.gz").write_bytes(data)
    checkpoints = Checkpoints(spacing=40_000, limit=12)
    for _ in range(60):
        start, length = RNG.randrange(len(CONTENT) + 50), RNG.choice([0, 1, 512, 70_000])
        with open(tmp_path / "x.gz", "rb", buffering=0) as file:
            stream = io.BufferedReader(GzipContent(file, checkpoints))
            stream.seek(start)
            assert stream.read(length) == CONTENT[start : start + length]
            stream.seek(max(0, start - 3000))  # and back
            assert stream.read(10) == CONTENT[max(0, start - 3000) :][:10]
    assert 2 <= len(checkpoints) <= 12


def test_checkpoints_of_many_files_are_bounded_and_lie_farther_apart(tmp_path: Path) -> None:
    checkpoints = Checkpoints(spacing=8_000, limit=20)
    for number in range(6):
        with open(packed(tmp_path / f"{number}.gz", CONTENT), "rb") as file:
            assert GzipContent(file, checkpoints).readall() == CONTENT
        assert len(checkpoints) <= 20
    assert checkpoints.spacing > 8_000
    with open(tmp_path / "0.gz", "rb") as file:
        stream = io.BufferedReader(GzipContent(file, checkpoints))
        stream.seek(len(CONTENT) - 5)
        assert stream.read() == CONTENT[-5:]


class Counted(io.FileIO):
    """A file that counts the bytes that are read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size) or b""
        self.count += len(data)
        return data


def test_only_what_lies_behind_a_checkpoint_is_read_again(tmp_path: Path) -> None:
    path, checkpoints = packed(tmp_path / "x.gz", random.Random(1).randbytes(1 << 20)), Checkpoints(spacing=1 << 17)
    with open(path, "rb") as file:
        GzipContent(file, checkpoints).readall()
    with Counted(str(path)) as file:
        stream = io.BufferedReader(GzipContent(file, checkpoints))
        stream.seek(900_000)
        assert len(stream.read(1000)) == 1000
        assert file.count < (1 << 17) + (1 << 16)


def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes(1 << 20)) * 110)
    assert bomb.stat().st_size * MAX_RATIO < 30 << 20
    tracemalloc.start()
    with open(bomb, "rb") as file:
        stream = io.BufferedReader(GzipContent(file, Checkpoints()))
        stream.seek(105 << 20)
        with pytest.raises(DamagedContent, match="more than 100 times its size"):
            stream.read(1)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
