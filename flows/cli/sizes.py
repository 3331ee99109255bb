"""Parses the options --workers (a number or an address) and --memory (a size)."""

import re

from pipeline.errors import UserError


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
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT])B?", text.strip().upper(), re.ASCII)
    if match is None or float(match[1]) == 0:
        raise UserError(f"--memory {text}: give a size like 8GB or 500MB")
    return int(float(match[1]) * 1000 ** ("KMGT".index(match[2]) + 1))
