"""A reader of MATLAB's level 5 MAT-files, as far as lists of pairs need it: cells, structs, text and numbers.

Used instead of scipy's reader, which ends the process on some damaged files (a segmentation fault in 1.17.1), and
downloaded files may be damaged. The layout is that of MathWorks' "MAT-File Format" (chapter 1, Level 5): a header of
128 bytes, then elements of a type, a length and that many bytes, padded to eight; an array is an element that holds
elements.
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
ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}
COMPLEX = 0x0800  # of an array's flags
CELLS, STRUCTS, TEXT, NUMERIC = 1, 2, 4, range(6, 16)  # classes of arrays


class Array(NamedTuple):
    """An array of MATLAB; the values are in column-major order.

    The values of a cell array are arrays, those of a struct array tuples of arrays (the fields, in order), those of a
    numeric array float or int. A text has one value, the whole string.
    """

    shape: tuple[int, ...]
    values: list[Any]


class Element(NamedTuple):
    """A data element: the number of its type (`kind`), and its bytes."""

    kind: int
    data: memoryview


def load(file: Path, name: str, *, max_bytes: int) -> Array | None:
    """The variable `name` of a file; None when the file has no such variable.

    Raises ValueError for a file of another form, and for one of more than max_bytes, compressed or unpacked.
    """
    if file.stat().st_size > max_bytes:
        raise ValueError(f"it holds more than {max_bytes >> 20} MiB")
    data = file.read_bytes()
    if data[HEADER_BYTES - 2 : HEADER_BYTES] != b"IM":
        raise ValueError("it does not have the header of a level 5 MAT-file of a little-endian machine")
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
    return _next_element(_elements(memoryview(data)))


def _elements(data: memoryview) -> Iterator[Element]:
    """The elements in `data`, one after another; a small element keeps its bytes in the place of its length."""
    position = 0
    while position < len(data):
        first = int.from_bytes(data[position : position + 4], "little")
        kind, length, start = first & 0xFFFF, first >> 16, position + 4
        if not length:
            length, start = int.from_bytes(data[position + 4 : position + 8], "little"), position + 8
        if position + 8 > len(data) or start + length > len(data):
            raise ValueError("it is cut short")
        yield Element(kind, data[start : start + length])
        position = max(position + 8, start + length)
        position += -position % 8 if kind != COMPRESSED else 0


def _array(data: memoryview) -> tuple[str, Array]:
    """The name of an array and the array; no bytes mean an empty array."""
    if not len(data):
        return "", Array((0, 0), [])
    inner = _elements(data)
    flags, shape = _numbers(_next_element(inner, UNSIGNED)), _numbers(_next_element(inner, SIGNED)).tolist()
    name = bytes(_next_element(inner).data)
    if len(shape) < 2 or min(shape) < 0 or not len(flags) or int(flags[0]) & COMPLEX:
        raise ValueError("it has an array of no size, or of complex numbers")
    return name.decode("latin-1"), Array(tuple(shape), _values(int(flags[0]) & 0xFF, math.prod(shape), inner))


def _values(kind: int, n: int, inner: Iterator[Element]) -> list[Any]:
    if kind == CELLS:
        return [_array(_next_element(inner, ARRAY).data)[1] for _ in range(n)]
    if kind == STRUCTS:
        width, names = _numbers(_next_element(inner, SIGNED)).tolist(), len(_next_element(inner).data)
        fields = names // width[0] if width and width[0] > 0 else 0
        if not fields:
            raise ValueError("it has structs without fields")
        return [tuple(_array(_next_element(inner, ARRAY).data)[1] for _ in range(fields)) for _ in range(n)]
    if kind == TEXT:
        text = next(inner, Element(1, memoryview(b"")))
        if text.kind not in ENCODINGS:
            raise ValueError(f"it has text of type {text.kind}")
        return [bytes(text.data).decode(ENCODINGS[text.kind])]
    if kind in NUMERIC:
        numbers = _numbers(_next_element(inner)).tolist()
        if len(numbers) != n:
            raise ValueError(f"it has an array of {len(numbers)} numbers, expected {n}")
        return list(numbers)
    raise ValueError(f"it has an array of class {kind}")


def _next_element(inner: Iterator[Element], kind: int = 0) -> Element:
    """The next element; ValueError unless it is of the given kind (0: any)."""
    element = next(inner, None)
    if element is None or kind not in (0, element.kind):
        raise ValueError("it is cut short")
    return element


def _numbers(element: Element) -> Any:
    if element.kind not in NUMBERS:
        raise ValueError(f"it has numbers of type {element.kind}")
    return np.frombuffer(element.data, NUMBERS[element.kind])
