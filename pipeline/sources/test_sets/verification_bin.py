"""InsightFace's verification .bin, read without running code: a pickle of photos, and of which pairs are genuine.

One idea: every class or function that a pickle may name is replaced by a small class or function in this file that only
keeps bytes, so that neither numpy nor other code is called with the content of an untrusted file. These files come from
Python 2 and 3, with photos as bytes or as arrays.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import UserError

FAULTS = (
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OverflowError,
    RecursionError,
    ImportError,
)
OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
# opcodes that hash keys, which takes for ever for nested tuples
HASHING = ("DICT", "SETITEM", "SETITEMS", "ADDITEMS", "FROZENSET")
CUT_SHORT = "the file is cut short"
MAX_COPIED = 8  # bytes that may be copied, in sizes of the file: no test set repeats every photo that often


class Bin(NamedTuple):
    """The photos of a .bin, the two of each pair one after the other, and for each pair whether it is genuine."""

    photos: list[bytes]
    same: list[bool]


def load(path: Path) -> Bin:
    """The content of a .bin; UserError when it cannot be read or holds anything but photos and pairs."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): repair it or leave it out") from None
    try:
        _refuse_costly(data)
        reader = _Unpickler(data)
        photos, same = reader.load()
        content = Bin([reader.photo(p) for p in reader.items(photos)], [reader.is_same(s) for s in reader.items(same)])
    except FAULTS as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{path} is not a verification .bin: {reason}: fetch it again from where you trust it"
        ) from None
    if len(content.photos) != 2 * len(content.same) or not content.same:
        raise UserError(f"{path} holds {len(content.photos)} photos for {len(content.same)} pairs: expected two a pair")
    return content


def _refuse_costly(data: bytes) -> None:
    """Raise ValueError for a pickle that would make the unpickler reserve more memory than its size, or hash for ever.

    Walks the opcodes itself, because pickletools.genops stops at strings of Python 2 that are not ASCII.
    """
    stream = io.BytesIO(data)
    while code := stream.read(1):
        opcode = OPCODES.get(code.decode("latin1"))
        if opcode is None:
            raise ValueError(f"byte {stream.tell() - 1} is not a pickle")
        if opcode.name in HASHING:
            raise ValueError(f"byte {stream.tell() - 1} fills a dictionary or a set, which no photo needs")
        if opcode.name == "STRING":
            stream.readline()
            continue
        try:
            argument = opcode.arg.reader(stream) if opcode.arg else None
        except ValueError:
            if stream.read(1):
                raise
            raise ValueError(CUT_SHORT) from None  # the reader took all that is left, and wanted more
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(data):
            raise ValueError(f"byte {stream.tell()} stores an object under number {argument}")
        if opcode.name == "STOP":
            return
    raise ValueError(CUT_SHORT)


class _Type:
    """Replaces numpy.dtype: keeps only the name."""

    def __init__(self, name: Any = b"", *_: Any) -> None:
        self.name = name.decode() if isinstance(name, bytes) else name if isinstance(name, str) else "object"

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and the like, which single bytes and truth values do not need."""


class _Array:
    """Replaces numpy.ndarray and numpy's scalars: keeps type and bytes."""

    def __init__(self, *_: Any) -> None:
        self.type: Any = None
        self.data: Any = b""

    def __setstate__(self, state: Any) -> None:
        _, _, self.type, _, self.data = state


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _frombuffer(data: Any, type: Any, *_: Any) -> _Array:
    array = _Array()
    array.type, array.data = type, data
    return array


def _scalar(type: Any, data: Any) -> _Array:
    return _frombuffer(data, type)


class _Function:
    """A function of this file that a pickle may call but not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, _: Any) -> None:
        raise pickle.UnpicklingError("it would change a function")


class _Unpickler(pickle.Unpickler):
    """Reads one pickle. The bytes it copies are limited, because a pickle of a megabyte could ask for a terabyte."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="bytes")
        self.bytes_left = MAX_COPIED * len(data)
        arrays = {
            (f"numpy.{core}.{module}", name): _Function(function)
            for core in ("core", "_core")
            for module, name, function in (
                ("multiarray", "_reconstruct", _reconstruct),
                ("multiarray", "scalar", _scalar),
                ("numeric", "_frombuffer", _frombuffer),
            )
        }
        self.allowed: dict[tuple[str, str], Any] = arrays | {
            ("builtins", "bytes"): _Function(lambda *arguments: self.raw(arguments[0]) if arguments else b""),
            ("builtins", "bytearray"): _Function(self.encode),
            ("_codecs", "encode"): _Function(self.encode),
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Type,
            ("numpy", "bool_"): _Type,
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no photo needs")
        return self.allowed[module, name]

    def encode(self, text: Any, encoding: Any = b"latin1") -> bytes:
        if encoding not in (b"latin1", "latin1"):
            raise pickle.UnpicklingError("bytes in another encoding than latin1")
        return self.raw(text)

    def raw(self, data: Any) -> bytes:
        if isinstance(data, bytes):
            return data
        if not isinstance(data, str | bytearray):
            raise TypeError(f"a {type(data).__name__} where bytes were expected")
        self.bytes_left -= len(data)
        if self.bytes_left < 0:
            raise ValueError(f"it makes more than {MAX_COPIED} times its own size")
        return data.encode("latin1") if isinstance(data, str) else bytes(data)

    def photo(self, photo: Any) -> bytes:
        if isinstance(photo, _Array):
            if photo.type.name not in ("u1", "i1", "uint8"):
                raise TypeError(f"a photo as an array of {photo.type.name}")
            return self.raw(photo.data)
        return self.raw(photo)

    def items(self, values: Any) -> list[Any]:
        if isinstance(values, _Array) and not isinstance(values.data, list):
            kind, data = values.type.name, self.raw(values.data)
            if kind[:1] not in "biu?":
                raise TypeError(f"labels of pairs as an array of {kind}")
            size = int(kind[1:] or 1)
            return [any(data[i : i + size]) for i in range(0, len(data), size)]
        sequence = values.data if isinstance(values, _Array) else values
        if isinstance(sequence, list | tuple):
            return list(sequence)
        raise TypeError(f"a {type(sequence).__name__} where a list was expected")

    def is_same(self, label: Any) -> bool:
        if isinstance(label, _Array):
            return any(self.raw(label.data))
        if isinstance(label, bool | int):
            return bool(label)
        raise TypeError(f"a {type(label).__name__} where true or false was expected")
