"""The part of MATLAB's level 5 MAT-files that lists are kept in: cells, records, text and numbers.

scipy's reader ends the process on some damaged files (a segmentation fault in 1.17.1), so files of strangers are read
here. The layout is that of MathWorks' "MAT-File Format" (chapter 1, Level 5): a head of 128 bytes, then elements of a
type, a length and so many bytes, filled up to eight; an array is an element that holds elements.
"""

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HEAD = 128
SIGNED, UNSIGNED, ARRAY, PACKED = 5, 6, 14, 15  # types of elements
NUMBERS = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
LETTERS = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}
COMPLEX = 0x0800  # of an array's flags
CELLS, RECORDS, TEXT, NUMERIC = 1, 2, 4, range(6, 16)  # classes of arrays


class Array(NamedTuple):
    """An array; values run column by column.

    Cells hold arrays, records tuples of arrays (a record's fields in their order), numbers a list of float or int. Text
    is a single value, all its letters.
    """

    shape: tuple[int, ...]
    values: list[Any]


class Element(NamedTuple):
    """A type, and the bytes."""

    kind: int
    data: memoryview


def load(file: Path, name: str, *, most_bytes: int) -> Array | None:
    """The variable of this name, None where there is none. Raises ValueError for what is no such file, or holds more
    than most_bytes, packed or unpacked."""
    if file.stat().st_size > most_bytes:
        raise ValueError(f"it holds more than {most_bytes >> 20} MiB")
    whole = file.read_bytes()
    if whole[HEAD - 2 : HEAD] != b"IM":
        raise ValueError("it has not the head of a level 5 MAT-file of a little-endian machine")
    for element in _elements(memoryview(whole)[HEAD:]):
        if element.kind == PACKED:
            unpacking = zlib.decompressobj()
            try:
                data = unpacking.decompress(element.data, most_bytes)
            except zlib.error as error:
                raise ValueError(f"it cannot be unpacked: {error}") from None
            if unpacking.unconsumed_tail:
                raise ValueError(f"it holds more than {most_bytes >> 20} MiB")
            element = _next(_elements(memoryview(data)))
        if element.kind == ARRAY and (found := _array(element.data)) and found[0] == name:
            return found[1]
    return None


def _elements(data: memoryview) -> Iterator[Element]:
    """The elements in a row of bytes; a short one has its bytes where others have their length."""
    at = 0
    while at < len(data):
        first = int.from_bytes(data[at : at + 4], "little")
        kind, length, start = first & 0xFFFF, first >> 16, at + 4
        if not length:
            length, start = int.from_bytes(data[at + 4 : at + 8], "little"), at + 8
        if at + 8 > len(data) or start + length > len(data):
            raise ValueError("it is cut short")
        yield Element(kind, data[start : start + length])
        at = max(at + 8, start + length)
        at += -at % 8 if kind != PACKED else 0


def _array(data: memoryview) -> tuple[str, Array]:
    """An array and its name; one without any bytes is empty."""
    if not len(data):
        return "", Array((0, 0), [])
    inner = _elements(data)
    flags, shape = _numbers(_next(inner, UNSIGNED)), _numbers(_next(inner, SIGNED)).tolist()
    name = bytes(_next(inner).data)
    if len(shape) < 2 or min(shape) < 0 or not len(flags) or int(flags[0]) & COMPLEX:
        raise ValueError("it has an array of no size, or of complex numbers")
    return name.decode("latin-1"), Array(tuple(shape), _values(int(flags[0]) & 0xFF, math.prod(shape), inner))


def _values(kind: int, n: int, inner: Iterator[Element]) -> list[Any]:
    if kind == CELLS:
        return [_array(_next(inner, ARRAY).data)[1] for _ in range(n)]
    if kind == RECORDS:
        width, names = _numbers(_next(inner, SIGNED)).tolist(), len(_next(inner).data)
        fields = names // width[0] if width and width[0] > 0 else 0
        if not fields:
            raise ValueError("it has records without fields")
        return [tuple(_array(_next(inner, ARRAY).data)[1] for _ in range(fields)) for _ in range(n)]
    if kind == TEXT:
        letters = next(inner, Element(1, memoryview(b"")))
        if letters.kind not in LETTERS:
            raise ValueError(f"it has text of type {letters.kind}")
        return [bytes(letters.data).decode(LETTERS[letters.kind])]
    if kind in NUMERIC:
        found = _numbers(_next(inner)).tolist()
        if len(found) != n:
            raise ValueError("it has an array of another size than it says")
        return list(found)
    raise ValueError(f"it has an array of class {kind}")


def _next(inner: Iterator[Element], kind: int = 0) -> Element:
    """The next element; of this kind, where one is given."""
    element = next(inner, None)
    if element is None or kind not in (0, element.kind):
        raise ValueError("it is cut short")
    return element


def _numbers(element: Element) -> Any:
    if element.kind not in NUMBERS:
        raise ValueError(f"it has numbers of type {element.kind}")
    return np.frombuffer(element.data, NUMBERS[element.kind])
