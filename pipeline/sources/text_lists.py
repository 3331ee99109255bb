"""Words and lines of text lists, as test sets and people write them."""

from pathlib import Path

MAX_DIGITS = 9


def whole_number(word: str) -> int | None:
    """The whole number that a word is, in at most nine ASCII digits; None for any other word."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS else None


def numbered_lines(file: Path) -> list[tuple[int, list[str]]]:
    """The lines of a text file that are not blank: each one's number, from 1, and its words."""
    lines = file.read_text("utf-8", "replace").splitlines()
    return [(number, words) for number, line in enumerate(lines, start=1) if (words := line.split())]
