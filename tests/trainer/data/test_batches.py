"""Batches: each face with its label, in the same order for any number of ranks and threads and after a stop."""

import threading
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from tests.builders.photos import exported_faces
from trainer.data.batches import BatchStream
from trainer.data.chunk import Chunk
from trainer.data.data_set import open_faces
from trainer.data.decode import decode_face
from trainer.data.parquet_faces import ParquetFaces
from trainer.run import Run

RUN = Run(batch=12, seed=3)


def test_a_triplet_loss_gets_several_photos_of_a_person(tmp_path: Path) -> None:
    faces = open_faces(exported_faces.parquet(tmp_path / "data", 40, 4))

    def pairs(loss: str) -> float:
        batches = islice(BatchStream(faces, Run(batch=12, seed=3, loss=loss)), 10)
        return float(np.mean([sum(n > 1 for n in Counter(b.label.tolist()).values()) for b in batches]))

    assert pairs("triplet") > 2.5  # three groups of four fill a batch
    assert pairs("triplet:photos=2") > 4
    assert pairs("arcface") < 2.5
    assert pairs("triplet:photos=1") == pairs("arcface")


@pytest.mark.parametrize("make", [exported_faces.parquet, exported_faces.record_io])
def test_batches_hold_the_pictures_with_their_labels(make, tmp_path: Path) -> None:
    faces = open_faces(make(tmp_path / "data"))
    label_of = {}
    for chunk in range(len(faces.chunk_sizes)):
        content = faces.read(chunk)
        for label, jpeg in zip(content.label, content.jpeg, strict=True):
            face = decode_face(jpeg, size=112, channels=3)
            assert face is not None
            label_of[face.tobytes()] = label_of[np.ascontiguousarray(face[:, ::-1]).tobytes()] = int(label)
    batches = list(islice(BatchStream(faces, RUN), 4))
    assert [b.faces.shape for b in batches] == [(12, 3, 112, 112)] * 4
    labels = [
        (label_of[f.transpose(1, 2, 0).tobytes()], int(y))
        for b in batches
        for f, y in zip(b.faces, b.label, strict=True)
    ]
    assert all(expected == label for expected, label in labels)
    assert Counter(y for _, y in labels) == dict.fromkeys(range(6), 8)


@pytest.mark.parametrize("loss", ["arcface", "triplet"])
def test_ranks_share_a_batch_and_a_stream_continues_after_a_stop(tmp_path: Path, loss: str) -> None:
    faces = open_faces(exported_faces.parquet(tmp_path / "data"))
    run = Run(batch=12, seed=3, augment=0.5, loss=loss)
    whole = list(islice(BatchStream(faces, run, threads=9), 6))
    halves = [list(islice(BatchStream(faces, run, rank=rank, ranks=2), 6)) for rank in (0, 1)]
    later = list(islice(BatchStream(faces, run, skip=24), 4))
    for i, batch in enumerate(whole):
        assert np.array_equal(batch.faces, np.concatenate([h[i].faces for h in halves]))
        assert np.array_equal(batch.label, np.concatenate([h[i].label for h in halves]))
        assert all(np.array_equal(b.all_labels, batch.label) for b in (batch, halves[0][i], halves[1][i]))
        assert i < 2 or np.array_equal(batch.faces, later[i - 2].faces)


def test_grey_faces_of_another_size(tmp_path: Path) -> None:
    faces = open_faces(exported_faces.parquet(tmp_path / "data"))
    batch = next(iter(BatchStream(faces, Run(batch=4, input="1x128x128"))))
    assert batch.faces.shape == (4, 1, 128, 128)


def test_a_batch_that_cannot_be_divided_into_ranks_raises_one_line(tmp_path: Path) -> None:
    faces = open_faces(exported_faces.parquet(tmp_path / "data"))
    with pytest.raises(UserError, match=r"batch 12 cannot be divided into 5 ranks x 1 micro-batches"):
        next(iter(BatchStream(faces, RUN, ranks=5)))


def test_a_picture_that_cannot_be_decoded_is_named_with_its_position_in_the_file(tmp_path: Path) -> None:
    folder = exported_faces.record_io(tmp_path / "data")
    file = folder / "train.rec"
    content = bytearray(file.read_bytes())
    start = content.find(b"\xff\xd8\xff", len(content) // 2)
    content[start : start + 8] = b"no photo"
    file.write_bytes(content)
    file.with_suffix(".crc32").unlink()  # as other programs write it
    with pytest.raises(UserError, match=r"the record at byte \d+ in .*train.rec is not a picture that can be decoded"):
        list(islice(BatchStream(open_faces(folder), RUN), 5))


class Meeting(list[bytes]):
    """Pictures of which the first is given out only when this many threads ask for one at the same time."""

    def __init__(self, pictures: list[bytes], meeting: threading.Barrier) -> None:
        super().__init__(pictures)
        self.meeting, self.over = meeting, threading.Event()

    def __getitem__(self, i):
        if not self.over.is_set():
            self.meeting.wait(timeout=60)
            self.over.set()
        return super().__getitem__(i)


def test_twelve_threads_decode_at_the_same_time(tmp_path: Path) -> None:
    faces = open_faces(exported_faces.parquet(tmp_path / "data", 6, 8, group=48))
    chunks = [faces.read(i) for i in range(2)]
    first = Meeting(chunks[0].jpeg, threading.Barrier(12))
    second = Meeting(chunks[1].jpeg, first.meeting)
    second.over = first.over

    class MeetingFaces(ParquetFaces):
        def read(self, chunk: int) -> Chunk:
            return chunks[chunk]._replace(jpeg=(first, second)[chunk])

    assert next(iter(BatchStream(MeetingFaces(faces.path, faces.files), RUN, threads=12))).faces.shape[0] == 12
    assert first.over.is_set()
