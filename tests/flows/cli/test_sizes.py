"""Sizes of memory like 8GB, as bytes, and sizes of files, as photos or bytes."""

import pytest

from flows.cli.sizes import parse_memory, parse_shard_size
from pipeline.errors import UserError


@pytest.mark.parametrize(
    ("text", "size"), [("8GB", 8 * 10**9), ("500MB", 5 * 10**8), ("1.5 gb", 15 * 10**8), ("2T", 2 * 10**12), ("", None)]
)
def test_sizes_are_bytes(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["8", "GB", "-1GB", "0GB", "8 GiB", "eight", "1e3MB", "٣GB", "8GB 2"])
def test_anything_else_is_one_line(text):
    with pytest.raises(UserError, match="give a size like 8GB or 500MB"):
        parse_memory(text)


def test_the_size_of_a_file_is_a_number_of_photos_or_of_bytes():
    assert parse_shard_size("10000") == (10_000, "photos")
    assert parse_shard_size("1.5 gb") == (15 * 10**8, "bytes")
    assert parse_shard_size("0.5K") == (500, "bytes")


@pytest.mark.parametrize("text", ["", "0", "007", "-1", "1e3", "8 GiB", "0GB", "0.0001KB", "٣", "9" * 5000])
def test_any_other_size_of_a_file_is_one_line(text):
    with pytest.raises(UserError, match="give a number of photos like 10000, or a size like 500MB"):
        parse_shard_size(text)
