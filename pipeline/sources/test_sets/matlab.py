"""A reader of MATLAB's level 5 MAT-files, as far as lists of pairs need it: cells, records, text and numbers.

Not scipy's, because that one ends the process on some damaged files (a segmentation fault in 1.17.1), and downloaded
files may be damaged. The layout is that of MathWorks' "MAT-File Format" (chapter 1, Level 5): a header of 128 bytes,
then elements of a type, a length and that many bytes, padded to eight; an array is an element that holds elements.
"""

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HEADER_BYTES = 128
SIGNED, UNSIGNED, ARRAY, COMPRESSED = 5, 6, 14, 15  # types of elements
NUMBERS = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
LETTERS = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}
COMPLEX = 0x0800  # of an array's flags
CELLS, RECORDS, TEXT, NUMERIC = 1, 2, 4, range(6, 16)  # classes of arrays


class Array(NamedTuple):
    """An array; values run column by column.

    Of cells the values are arrays, of records tuples of arrays (the fields in their order), of numbers float or int.
    Text is a single value, the whole string.
    """

    shape: tuple[int, ...]
    values: list[Any]


class Element(NamedTuple):
    """The number of a type, and the bytes."""

    kind: int
    data: memoryview


def load(file: Path, name: str, *, max_bytes: int) -> Array | None:
    """The variable of this name, None where there is none.

    Raises ValueError for a file of another kind, or one of more than max_bytes, compressed or not.
    """
    if file.stat().st_size > max_bytes:
        raise ValueError(f"it holds more than {max_bytes >> 20} MiB")
    data = file.read_bytes()
    if data[HEADER_BYTES - 2 : HEADER_BYTES] != b"IM":
        raise ValueError("it has not the head of a level 5 MAT-file of a little-endian machine")
    for element in _elements(memoryview(data)[HEADER_BYTES:]):
        if element.kind == COMPRESSED:
            element = _decompressed(element, max_bytes)
        if element.kind == ARRAY:
            array_name, array = _array(element.data)
            if array_name == name:
                return array
    return None


def _decompressed(element: Element, max_bytes: int) -> Element:
    decompressor = zlib.decompressobj()
    try:
        data = decompressor.decompress(element.data, max_bytes)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None
    if decompressor.unconsumed_tail:
        raise ValueError(f"it holds more than {max_bytes >> 20} MiB")
    return _next(_elements(memoryview(data)))


def _elements(data: memoryview) -> Iterator[Element]:
    """The elements that lie one after another in bytes; a small one has its bytes where others have their length."""
    place = 0
    while place < len(data):
        first = int.from_bytes(data[place : place + 4], "little")
        kind, length, start = first & 0xFFFF, first >> 16, place + 4
        if not length:
            length, start = int.from_bytes(data[place + 4 : place + 8], "little"), place + 8
        if place + 8 > len(data) or start + length > len(data):
            raise ValueError("it is cut short")
        yield Element(kind, data[start : start + length])
        place = max(place + 8, start + length)
        place += -place % 8 if kind != COMPRESSED else 0


def _array(data: memoryview) -> tuple[str, Array]:
    """The name of an array and the array; one without any bytes is empty."""
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
        numbers = _numbers(_next(inner)).tolist()
        if len(numbers) != n:
            raise ValueError("it has an array of another size than it says")
        return list(numbers)
    raise ValueError(f"it has an array of class {kind}")


def _next(inner: Iterator[Element], kind: int = 0) -> Element:
    """The next element; ValueError unless it is of the given kind (0: any)."""
    element = next(inner, None)
    if element is None or kind not in (0, element.kind):
        raise ValueError("it is cut short")
    return element


def _numbers(element: Element) -> Any:
    if element.kind not in NUMBERS:
        raise ValueError(f"it has numbers of type {element.kind}")
    return np.frombuffer(element.data, NUMBERS[element.kind])
