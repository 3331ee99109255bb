"""The order of the photos: every photo once an epoch, the same for any number of ranks, threads and stops."""

from collections import Counter
from itertools import groupby, islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import UserError
from tests.builders import exported_faces
from trainer.data.batches import Stream, Together, decode, windows
from trainer.data.shards import open_faces
from trainer.run import Run

RUN = Run(batch=12, seed=3)


def test_an_epoch_holds_every_photo_once_and_the_next_one_in_another_order() -> None:
    rows = np.array([5, 7, 3, 8, 1])
    seen: list[list[tuple[int, int]]] = [[]]
    for window in windows(rows, seed=1, buffer=9):
        seen[-1] += [(int(window.chunks[c]), int(r)) for c, r in window.order]
        if len(seen[-1]) == rows.sum():
            if len(seen) == 2:
                break
            seen.append([])
    everything = {(c, r) for c, n in enumerate(rows) for r in range(n)}
    assert set(seen[0]) == set(seen[1]) == everything
    assert seen[0] != seen[1]


@pytest.mark.parametrize("seen", [1, 9, 23, 24, 25, 60])
def test_from_any_photo_on_it_is_the_same_stream(seen: int) -> None:
    rows = np.array([5, 7, 3, 8, 1])

    def flat(start: int, n: int) -> list[tuple[int, int]]:
        photos = ((int(w.chunks[c]), int(r)) for w in windows(rows, seed=1, seen=start, buffer=9) for c, r in w.order)
        return list(islice(photos, n))

    assert flat(seen, 30) == flat(0, seen + 30)[seen:]


@pytest.mark.parametrize("seen", [0, 24, 61])
def test_photos_of_a_person_come_together_and_each_once_from_any_photo_on(seen: int) -> None:
    rows = np.array([5, 7, 3, 8, 1])
    labels = np.random.default_rng(0).integers(0, 6, 24)
    together = Together(labels, 3)

    def flat(start: int, n: int) -> list[int]:
        found = windows(rows, seed=1, seen=start, buffer=100, together=together)
        photos = (int(np.cumsum(rows)[w.chunks[c]] - rows[w.chunks[c]] + r) for w in found for c, r in w.order)
        return list(islice(photos, n))

    epochs = flat(0, 120)
    assert all(sorted(epochs[i : i + 24]) == list(range(24)) for i in range(0, 120, 24))
    assert epochs[:24] != epochs[24:48]
    assert flat(seen, 40) == epochs[seen : seen + 40]
    runs = [len(list(group)) for _, group in groupby(labels[epochs[:24]])]
    assert sum(n >= 3 for n in runs) >= sum(n // 3 for n in np.bincount(labels)) - 2  # two groups may meet
    assert len(runs) >= len(set(labels))


def test_a_triplet_loss_finds_pairs_where_there_are_many_people(tmp_path: Path) -> None:
    faces = open_faces(exported_faces.parquet(tmp_path / "data", 40, 4))

    def pairs(loss: str) -> float:
        batches = islice(Stream(faces, Run(batch=12, seed=3, loss=loss)), 10)
        return float(np.mean([sum(n > 1 for n in Counter(b.label.tolist()).values()) for b in batches]))

    assert pairs("triplet") > 2.5  # three groups of four fill a batch
    assert pairs("triplet:photos=2") > 4
    assert pairs("arcface") < 2.5
    assert pairs("triplet:photos=1") == pairs("arcface")


def test_a_window_holds_no_more_than_the_buffer_and_one_chunk() -> None:
    rows = np.full(100, 10)
    lengths = [len(w.order) for w in islice(windows(rows, seed=0, buffer=64), 30)]
    assert max(lengths) <= 64 + 10


@pytest.mark.parametrize("make", [exported_faces.parquet, exported_faces.record_io])
def test_batches_hold_the_pictures_with_their_labels(make, tmp_path: Path) -> None:
    faces = open_faces(make(tmp_path / "data"))
    true = {}
    for chunk in range(len(faces.rows)):
        content = faces.read(chunk)
        for label, jpeg in zip(content.label, content.jpeg, strict=True):
            face = decode(jpeg, size=112, channels=3)
            assert face is not None
            true[face.tobytes()] = true[np.ascontiguousarray(face[:, ::-1]).tobytes()] = int(label)
    batches = list(islice(Stream(faces, RUN), 4))
    assert [b.faces.shape for b in batches] == [(12, 3, 112, 112)] * 4
    found = [(true[f.transpose(1, 2, 0).tobytes()], int(y)) for b in batches for f, y in zip(*b, strict=True)]
    assert all(a == b for a, b in found)
    assert Counter(y for _, y in found) == dict.fromkeys(range(6), 8)


@pytest.mark.parametrize("loss", ["arcface", "triplet"])
def test_ranks_share_a_batch_and_a_stop_changes_nothing(tmp_path: Path, loss: str) -> None:
    faces = open_faces(exported_faces.parquet(tmp_path / "data"))
    run = Run(batch=12, seed=3, augment=0.5, loss=loss)
    whole = list(islice(Stream(faces, run, threads=2), 6))
    halves = [list(islice(Stream(faces, run, rank, 2), 6)) for rank in (0, 1)]
    later = list(islice(Stream(faces, run, seen=24), 4))
    for i, batch in enumerate(whole):
        assert np.array_equal(batch.faces, np.concatenate([h[i].faces for h in halves]))
        assert np.array_equal(batch.label, np.concatenate([h[i].label for h in halves]))
        assert i < 2 or np.array_equal(batch.faces, later[i - 2].faces)


def test_grey_faces_of_another_size(tmp_path: Path) -> None:
    faces = open_faces(exported_faces.parquet(tmp_path / "data"))
    batch = next(iter(Stream(faces, Run(batch=4, input="1x128x128"))))
    assert batch.faces.shape == (4, 1, 128, 128)


def test_a_batch_that_ranks_cannot_share(tmp_path: Path) -> None:
    faces = open_faces(exported_faces.parquet(tmp_path / "data"))
    with pytest.raises(UserError, match=r"batch 12 cannot be cut into 5 ranks x 1 parts"):
        next(iter(Stream(faces, RUN, 0, 5)))


def test_a_manifest_of_a_table_is_read_like_its_folder(tmp_path: Path) -> None:
    folder = exported_faces.parquet(tmp_path / "refined")
    manifest = folder / "abc.json"
    manifest.write_text('{"shards": [{"path": "refined/part-00000.parquet"}, {"path": "refined/part-00001.parquet"}]}')
    assert len(open_faces(manifest).labels) == 48


def test_a_picture_that_is_none_is_named_with_its_place(tmp_path: Path) -> None:
    folder = exported_faces.record_io(tmp_path / "data")
    file = folder / "train.rec"
    content = bytearray(file.read_bytes())
    place = content.find(b"\xff\xd8\xff", len(content) // 2)
    content[place : place + 8] = b"no photo"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"the record at byte \d+ in .*train.rec is no picture that can be decoded"):
        list(islice(Stream(open_faces(folder), RUN), 5))


def test_what_nothing_can_be_learnt_from(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((112, 112, 3), np.uint8))[1].tobytes()
    wrong = {
        "no photo": [],
        "one class": [(0, jpeg)] * 4,
        "single photo": [(0, jpeg), (1, jpeg)],
        "without a gap .label 1": [(0, jpeg), (2, jpeg), (2, jpeg)],
        "without a gap .label -3": [(-3, jpeg), (0, jpeg), (0, jpeg)],
    }
    for i, (message, rows) in enumerate(wrong.items()):
        folder = tmp_path / str(i)
        folder.mkdir()
        exported_faces.write(folder / "part-00000.parquet", rows)
        with pytest.raises(UserError, match=message):
            open_faces(folder)


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no"):
        open_faces(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"neither Parquet files nor a \.rec"):
        open_faces(tmp_path / "empty")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/x.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="cannot read"):
        open_faces(tmp_path / "bad")
    cut = exported_faces.record_io(tmp_path / "cut") / "train.rec"
    cut.write_bytes(cut.read_bytes()[:-5000])
    with pytest.raises(UserError, match="damaged or cut off"):
        open_faces(cut)
    (tmp_path / "train.rec.json").write_text("[]")
    with pytest.raises(UserError, match="no manifest"):
        open_faces(tmp_path / "train.rec.json")
