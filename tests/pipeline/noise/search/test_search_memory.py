"""The memory of a search, against answers by hand, and what is logged about it."""

import logging

import pytest

from pipeline.noise.search.search_memory import SearchSize, block_memory

GB = 10**9
PEOPLE = SearchSize("strays", 1_000_000, 100_000, 0, (512,))  # the gallery takes 5 x 0.2048 GB


def test_blocks_get_the_memory_that_the_gallery_leaves(caplog):
    with caplog.at_level(logging.INFO, "refinery"):
        assert block_memory(PEOPLE, 5, memory_bytes=None, workers=2) is None
        assert block_memory(PEOPLE, 5, memory_bytes=4 * GB, workers=2) == 2 * GB - 5 * 4 * 512 * 100_000
        assert block_memory(PEOPLE, 5, memory_bytes=2 * GB, workers="tcp://a:1") == 2 * GB - 5 * 4 * 512 * 100_000
    assert len(caplog.messages) == 3
    assert caplog.messages[0].startswith("strays: at most 1000000 x 100000 of 512, by codes: 2.")
    assert not [r for r in caplog.records if r.levelno > logging.INFO]


def test_too_little_memory_is_logged_and_a_small_search_is_not(caplog):
    with caplog.at_level(logging.INFO, "refinery"):
        assert block_memory(PEOPLE, 5, memory_bytes=GB, workers=2) == 1
        small = PEOPLE._replace(queries=100, persons=100)
        assert block_memory(small, 5, memory_bytes=None, workers=None) is None
    assert [r.levelname for r in caplog.records] == ["INFO", "WARNING"]
    assert "needs 2.06 GB, and --memory allows 1.00: fewer --workers need less" in caplog.messages[1]


def test_gallery_bytes_include_test_sets_and_all_embedders():
    both = SearchSize("relations", 1, 10, 1000, (512, 128))
    assert both.gallery_bytes() == (5 * 10 + 4 * 1000) * 4 * 640
    assert pytest.approx(both.gallery_bytes()) == 10_368_000
