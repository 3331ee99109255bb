"""What a source holds besides photos, and what looks wrong about it: told before any photo is read."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

EXAMPLES = 3
MAX_EXAMPLE = 80  # characters


class Survey(NamedTuple):
    """ignored: the number of files of a source that are not photos, by reason. warnings: one line each."""

    ignored: Mapping[str, int]
    warnings: Sequence[str] = ()


def examples(names: Iterable[str]) -> str:
    """The first names, at most EXAMPLES of them, each cut to MAX_EXAMPLE characters, as part of a message."""
    return ", ".join(repr(name[:MAX_EXAMPLE]) for name in islice(names, EXAMPLES))
