"""What faces are searched by: the same from the copies table as from the faces, and read shard by shard."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.noise.pictures.face_digests import FaceShards, first_bits, read_digests, read_places
from pipeline.noise.running.person_stages import find_persons
from tests.builders.tables.drawn_vectors import noisy_identities, tables


def test_the_first_bits_of_a_digest_and_none_for_a_photo_without_one() -> None:
    column = pa.chunked_array([["00000000000000ff" + 48 * "1", None], ["f" * 64]])
    bits, valid = first_bits(column)
    assert bits.tolist() == [255, 0, 2**64 - 1]
    assert valid.tolist() == [True, False, True]


def test_the_copies_table_has_the_digests_of_the_faces(tmp_path: Path) -> None:
    x, identity = noisy_identities(np.random.default_rng(0), people=40, noise=0.1)
    rows = [(f"{i}.jpg", f"id{n:03}", v, i) for i, (v, n) in enumerate(zip(x, identity, strict=True))]
    _, faces, embeddings = tables(str(tmp_path), rows)
    copies = find_persons(str(tmp_path), faces, [embeddings]).copies
    of_copies, of_faces = (
        read_digests(str(tmp_path), [FaceShards(faces.shards, shards, (embeddings.shards,))])
        for shards in (copies.shards, [])
    )
    original = copies.read(["copy_of"])["copy_of"].is_null().to_numpy()
    assert original.sum() > 0.9 * len(rows)
    place = {tuple(p): row for row, p in enumerate(of_faces.place.tolist())}
    same = [place[tuple(p)] for p in of_copies.place.tolist()]
    assert len(same) == original.sum()
    for name in ("sha", "hash", "norm", "identity"):
        assert getattr(of_copies, name).tolist() == getattr(of_faces, name)[same].tolist(), name


def test_places_are_read_by_shard_and_an_error_is_raised() -> None:
    place = np.array([[1, 0, 7], [0, 2, 5], [0, 0, 3], [0, 2, 1]], np.int32)
    read = {(s, n): rows.tolist() for _, (s, n, rows) in read_places(place, lambda s, n, rows: (s, n, rows))}
    assert read == {(0, 0): [3], (0, 2): [1, 5], (1, 0): [7]}
    found = np.zeros(len(place), int)
    for indices, rows in read_places(place, lambda _s, _n, rows: rows):
        found[indices] = rows
    assert found.tolist() == place[:, 2].tolist()
    assert list(read_places(place[:0], lambda *_: 0)) == []

    def fails(*_: object) -> object:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(read_places(place, fails))
