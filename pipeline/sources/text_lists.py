"""Words and lines of text lists, both those of test sets and those that users write."""

from pathlib import Path

MAX_DIGITS = 9


def whole_number(word: str) -> int | None:
    """A word of at most MAX_DIGITS ASCII digits as a whole number; None for any other word."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS else None


def numbered_lines(file: Path) -> list[tuple[int, list[str]]]:
    """The number, from 1, and the words of each line of a text file; blank lines are left out."""
    lines = file.read_text("utf-8", "replace").splitlines()
    return [(number, words) for number, line in enumerate(lines, start=1) if (words := line.split())]
