"""Bytes under a root that have a digest are checked against it when they are first read.

A file with wrong bytes is set aside under a name of its own, so that the stage that made it makes it again.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from typing import Any, TypeVar

from pipeline.errors import UserError
from pipeline.tables import storage

DAMAGED = ".damaged"  # ends the name of a file that was set aside
Content = TypeVar("Content")
SEAL = "digest"  # the key of a JSON object that holds the digest of all others
AGAIN = "run `refinery refine` with the options of before: it is made again, and all else is found"


class DamagedFile(UserError):  # noqa: N818  named for what it says of the file
    """A file under a root that is missing, or whose bytes are not those that were written."""


def content_digest(data: bytes | memoryview) -> str:
    """The digest of a file's bytes; a shard's stands for it in the names of the tables that are made from it."""
    return blake2b(data, digest_size=16).hexdigest()


def digest_of_file(root: str, name: str) -> str | None:
    """The content_digest() of a file under a root, read in blocks; None where there is no such file."""
    return storage.read_blocks(root, name, _digest_of_blocks)


def _digest_of_blocks(blocks: Iterator[bytes]) -> str:
    hasher = blake2b(digest_size=16)
    for block in blocks:
        hasher.update(block)
    return hasher.hexdigest()


def read_checked(root: str, name: str, digest: str) -> bytes:
    """The bytes of a file under a root.

    Raises DamagedFile when it is missing, or when its bytes do not have the digest even when they are read again; the
    file is then set aside.
    """
    return _checked(root, name, digest, lambda: _with_digest(storage.get(root, name)))


def check_file(root: str, name: str, digest: str) -> None:
    """Check a file under a root block by block, so that it need not fit into memory. Raises as read_checked()."""
    _checked(root, name, digest, lambda: (None, digest_of_file(root, name)))


def _with_digest(data: bytes | None) -> tuple[bytes, str | None]:
    return (b"", None) if data is None else (data, content_digest(data))


def _checked(root: str, name: str, digest: str, read: Callable[[], tuple[Content, str | None]]) -> Content:
    """What read() gives with this digest; its digest is None where there is no file."""
    for _ in range(2):  # what a network corrupts may be right the second time
        content, found = read()
        if found is None:
            raise DamagedFile(f"{root}/{name} is missing: {AGAIN}")
        if found == digest:
            return content
    set_aside(root, name)
    raise DamagedFile(
        f"{root}/{name} is damaged (its bytes are not those that were written) and is set aside as {name}{DAMAGED}: "
        f"{AGAIN}"
    )


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with one more key: a digest of its content."""
    return {**value, SEAL: content_digest(storage.json_bytes(value))}


def is_as_sealed(value: dict[str, Any]) -> bool:
    """Whether the content of a JSON object is that of which sealed() took the digest; true where it has no digest."""
    content = {key: item for key, item in value.items() if key != SEAL}
    return SEAL not in value or value[SEAL] == content_digest(storage.json_bytes(content))


def named_by_digest(root: str, folder: str, *, what: str) -> Iterator[bytes]:
    """The bytes of every Parquet file in a folder of a root, in the order of their names, which are their digests.

    what: what a file holds, for the message. Raises UserError for one whose bytes do not have the digest: these files
    cannot be made again.
    """
    for name in storage.list_files(root, folder):
        if name.endswith(".parquet") and "/." not in name:
            data = storage.get(root, name) or b""
            if content_digest(data) != name.rsplit("/", 1)[-1].removesuffix(".parquet"):
                raise UserError(f"{root}/{name} is damaged: put it back from a backup; it holds {what}")
            yield data


def set_aside(root: str, name: str) -> bool:
    """Give a file another name, so that it is no longer found; whether that was allowed."""
    files, base = storage.open_root(root)
    with suppress(OSError):  # on a disk that cannot be written to the message alone has to do
        files.move(f"{base}/{name}", f"{base}/{name}{DAMAGED}")
        return True
    return False
