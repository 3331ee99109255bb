"""Sizes of memory like 8GB, as bytes."""

import pytest

from flows.cli.sizes import parse_memory
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
