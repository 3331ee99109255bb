"""Nearest neighbours against brute force."""

import numpy as np
import pytest

from pipeline.noise.search import neighbours
from pipeline.noise.search.neighbours import block_rows, build_index, nearest
from tests.builders.tables.drawn_vectors import face_like_rows, unit


@pytest.fixture(params=[65536, 7])
def block(request, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", request.param)
    return request.param


@pytest.mark.usefixtures("block")
def test_nearest_is_brute_force_whatever_the_block():
    rng = np.random.default_rng(0)
    queries, gallery = unit(rng.normal(size=(20, 16))), unit(rng.normal(size=(33, 16)))
    cosines, rows = nearest(queries.astype(np.float16), gallery.astype(np.float16), 4)
    slow = queries.astype(np.float16).astype(np.float32) @ gallery.astype(np.float16).astype(np.float32).T
    assert np.array_equal(rows, np.argsort(-slow, axis=1)[:, :4])
    assert np.allclose(cosines, np.sort(slow, axis=1)[:, ::-1][:, :4], atol=1e-6)


def test_nearest_of_a_gallery_smaller_than_k_is_filled_up():
    cosines, rows = nearest(np.eye(3), np.eye(3)[:2], 3)
    assert rows.tolist() == [[0, 1, -1], [1, 0, -1], [0, 1, -1]]
    assert cosines[0, 2] == -np.inf


@pytest.fixture
def gallery(monkeypatch):
    monkeypatch.setattr(neighbours, "MIN_CODED_ROWS", 1000)
    return build_index(face_like_rows(20_000, 256, 0, knee=24))


def test_codes_find_what_an_exact_search_finds_and_its_cosines(gallery):
    near = unit(gallery.x[:500] + 0.7 * face_like_rows(500, 256, 1, knee=24))  # photos of persons in the gallery
    queries = np.concatenate([near, face_like_rows(500, 256, 2, knee=24)]).astype(np.float32)  # and of others
    cosines, rows = nearest(queries, gallery, 5)
    exact, right = nearest(queries, gallery.x, 5)
    assert gallery.codes is not None
    assert gallery.codes.pairs <= 64, "codes are shorter than the vectors"
    assert (rows[:500, 0] == right[:500, 0]).mean() >= 0.998
    assert (rows[:, 0] == right[:, 0]).mean() >= 0.99
    same = rows == right
    assert np.allclose(cosines[same], exact[same], atol=1e-6)
    assert (np.diff(cosines, axis=1) <= 0).all()


def test_a_search_by_codes_does_not_depend_on_threads_or_blocks(gallery, monkeypatch):
    queries = face_like_rows(300, 256, 3, knee=24)
    _, rows = nearest(queries, gallery, 5)
    neighbours.faiss.omp_set_num_threads(1)
    again = build_index(gallery.x)
    assert np.array_equal(nearest(queries, again, 5)[1], rows)
    assert np.array_equal(nearest(queries, again, 5, memory_bytes=1)[1], rows)
    neighbours.faiss.omp_set_num_threads(3)
    monkeypatch.setattr(neighbours, "CODED_BLOCK_ROWS", 37)
    assert np.array_equal(nearest(queries, again, 5)[1], rows)


def test_a_part_of_a_gallery_is_a_gallery_of_that_part(gallery):
    few = gallery[np.arange(20)]
    assert few.codes is None, "too few rows for codes"
    assert nearest(gallery.x[7:8], few, 1)[1].tolist() == [[7]]


def test_a_small_gallery_is_searched_exactly():
    x = face_like_rows(300, 128, 0)
    assert build_index(x).codes is None
    assert np.array_equal(nearest(x, build_index(x), 5)[1], nearest(x, x, 5)[1])


def test_blocks_shrink_to_fit_the_memory_down_to_a_minimum():
    assert block_rows(512, 5, 0, None) == 65536
    assert block_rows(512, 5, 0, 10**12) == 65536
    assert block_rows(512, 5, 0, 100 * 10**6) == 10**8 // (8 * 512 + 64 * 5)
    assert block_rows(512, 5, 80, 50 * 10**6) == 5 * 10**7 // (4 * 512 + 88 * 80 + 64 * 64)
    assert block_rows(512, 5, 0, 1) == 256
