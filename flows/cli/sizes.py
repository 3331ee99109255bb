"""Parses the options --workers (a number or an address), --memory (a size) and --shard-size (a number or a size)."""

import re

from pipeline.errors import UserError
from pipeline.refined.formats.shard_plan import ShardSize


def parse_workers(text: str) -> int | str | None:
    """A number of worker processes, a Dask scheduler's address, or None (threads) for an empty text.

    Raises UserError for anything else.
    """
    if not text:
        return None
    if text.isdigit() and int(text) > 0:
        return int(text)
    if "://" in text:
        return text
    raise UserError(f"--workers {text}: give a number of processes, or an address like tcp://127.0.0.1:8786")


def parse_memory(text: str) -> int | None:
    """Bytes of a size like 8GB or 500MB (powers of 1000), or None (no limit) for an empty text.

    Raises UserError for anything else.
    """
    if not text:
        return None
    if (size := _bytes(text)) is None:
        raise UserError(f"--memory {text}: give a size like 8GB or 500MB")
    return size


def parse_shard_size(text: str) -> ShardSize:
    """The size of a file of an export: photos (10000) or bytes (500MB, powers of 1000). Raises UserError otherwise."""
    if re.fullmatch("[1-9][0-9]{0,17}", text):
        return ShardSize(int(text), "photos")
    if (size := _bytes(text)) is None:
        raise UserError(f"--shard-size {text}: give a number of photos like 10000, or a size like 500MB")
    return ShardSize(size, "bytes")


def _bytes(text: str) -> int | None:
    """The bytes of a size like 8GB; None where it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT])B?", text.strip().upper(), re.ASCII)
    size = int(float(match[1]) * 1000 ** ("KMGT".index(match[2]) + 1)) if match else 0
    return size or None
