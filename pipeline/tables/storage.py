"""Files under a root: a folder, or any address that pyarrow or fsspec can open (s3://, gs://, memory://).

A file appears whole or not at all. A file system gets it under a temporary name and then a rename, an object store
in one put.
"""

import errno
import json
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from pyarrow import fs

from pipeline.errors import Unavailable, UserError, first_line
from pipeline.whole_files import sync_folder

log = logging.getLogger("refinery")

BLOCK_BYTES = 1 << 22  # of a file that is read in blocks
RETRY_S = 120.0  # how long to retry while the storage does not answer: its server or the network may be restarting
TRANSIENT_ERRNOS = {
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EAGAIN,
    errno.EBUSY,
}
# words in pyarrow's messages when an object store does not answer
TRANSIENT_WORDS = (
    "NETWORK_CONNECTION",
    "SLOW_DOWN",
    "SERVICE_UNAVAILABLE",
    "INTERNAL_FAILURE",
    "REQUEST_TIMEOUT",
    "curlCode",
)
Result = TypeVar("Result")


def with_retries(root: str, access: Callable[[], Result]) -> Result:
    """Call access() and return its result; while the storage does not answer, call again for up to RETRY_S seconds.

    Raises the OSError when the storage still does not answer then; any other error is raised at once.
    """
    deadline, wait_s = time.monotonic() + RETRY_S, 0.5
    while True:
        try:
            return access()
        except OSError as error:
            if not is_transient(error) or time.monotonic() + wait_s > deadline:
                raise
            log.warning("%s does not answer (%s): next attempt in %.1f s", root, first_line(error), wait_s)
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, 15.0)


def is_transient(error: OSError) -> bool:
    """Whether an error of a storage may end by itself: it does not answer, or not now."""
    return error.errno in TRANSIENT_ERRNOS or any(word in str(error) for word in TRANSIENT_WORDS)


def open_root(root: str) -> tuple[fs.FileSystem, str]:
    """The file system of a root and the root's path in it. Raises UserError for an unknown kind of address."""
    if "://" not in root:
        return fs.LocalFileSystem(), _absolute(root, "" if root.startswith("/") else str(Path.cwd()))
    scheme, _, path = root.partition("://")
    if scheme in {"s3", "gs", "gcs", "hdfs", "file"}:
        return fs.FileSystem.from_uri(root)  # type: ignore[no-any-return]
    try:
        return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme))), "/" + path
    except (ValueError, ImportError) as error:
        raise UserError(f"cannot open the root {root} ({error}): give a folder or s3://...") from None


@lru_cache(maxsize=64)  # pathlib takes as long as it takes to read a small file, and a ledger has many of these
def _absolute(root: str, folder: str) -> str:
    return str(Path(folder, root))


def is_local(root: str) -> bool:
    """Whether a root is a folder of this machine, or one that is mounted here."""
    return "://" not in root or root.startswith("file://")


def put(root: str, name: str, data: bytes | memoryview, *, durable: bool = True) -> None:
    """Write one file under a root, whole or not at all.

    durable: a power cut after the call does not undo it. Raises UserError when there is no room or no permission,
    Unavailable when the storage does not answer after retries; an earlier file of that name is then unchanged.
    """
    path = f"{open_root(root)[1]}/{name}"
    try:
        with_retries(root, lambda: _put(root, path, data, durable=durable))
    except OSError as error:
        raise _kind(error)(_write_message(error, path)) from error


def _put(root: str, path: str, data: bytes | memoryview, *, durable: bool) -> None:
    files, _ = open_root(root)
    if isinstance(files, fs.LocalFileSystem):
        _put_local(Path(path), data, durable=durable)
        return
    if not isinstance(files, fs.S3FileSystem):  # S3 has no folders, and create_dir would make requests for each level
        files.create_dir(path.rsplit("/", 1)[0], recursive=True)
    with files.open_output_stream(path) as stream:
        stream.write(data)


def _put_local(path: Path, data: bytes | memoryview, *, durable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as stream:
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())  # a power cut after the rename must not leave an empty file
        temporary.replace(path)
        if durable:
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _kind(error: OSError) -> type[UserError]:
    return Unavailable if is_transient(error) else UserError


def _write_message(error: OSError, path: str) -> str:
    if error.errno == errno.ENOSPC:
        return f"no room left on the disk while writing {path}: free some and run again; finished shards stay"
    return f"cannot write {path}: {error.strerror or error}: give a folder that can be written to"


def get(root: str, name: str) -> bytes | None:
    """The bytes of one file under a root, or None where there is none."""
    return _read(root, name, lambda: _get(root, name))


def read_blocks(root: str, name: str, use: Callable[[Iterator[bytes]], Result]) -> Result | None:
    """What `use` makes of the bytes of one file under a root, which it gets in blocks; None where there is no file."""

    def access() -> Result | None:
        files, base = open_root(root)
        path = f"{base}/{name}"
        if files.get_file_info(path).type != fs.FileType.File:
            return None
        with files.open_input_stream(path) as stream:
            return use(iter(lambda: bytes(stream.read(BLOCK_BYTES)), b""))

    return _read(root, name, access)


def _read(root: str, name: str, access: Callable[[], Result]) -> Result:
    try:
        return with_retries(root, access)
    except OSError as error:
        raise _kind(error)(
            f"cannot read {root}/{name} ({first_line(error)}): check that it exists and may be read, and "
            "run again; finished shards stay"
        ) from None


def _get(root: str, name: str) -> bytes | None:
    files, base = open_root(root)
    path = f"{base}/{name}"
    if files.get_file_info(path).type != fs.FileType.File:
        return None
    with files.open_input_stream(path) as stream:
        return bytes(stream.read())


def get_json(root: str, name: str) -> dict[str, Any] | None:
    """A JSON file under a root, or None where there is none.

    Raises UserError when the file holds no JSON object.
    """
    data = get(root, name)
    if data is None:
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{root}/{name} is not JSON ({error}): remove it and run again") from None
    if not isinstance(value, dict):
        raise UserError(f"{root}/{name} holds no JSON object: remove it and run again")
    return value


def put_json(root: str, name: str, value: dict[str, Any]) -> None:
    """Write a JSON file under a root, whole or not at all."""
    put(root, name, json_bytes(value))


def json_bytes(value: dict[str, Any]) -> bytes:
    """The bytes of a JSON file: the same for equal values."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n").encode()


def list_files(root: str, folder: str) -> list[str]:
    """The names of all files under a folder of a root, relative to the root, sorted. "" lists the whole root."""
    files, base = open_root(root)
    selector = fs.FileSelector(f"{base}/{folder}".rstrip("/"), recursive=True, allow_not_found=True)
    infos = _read(root, folder, lambda: files.get_file_info(selector))
    return sorted(i.path[len(base) :].lstrip("/") for i in infos if i.type == fs.FileType.File)


def remove(root: str, name: str) -> None:
    """Delete one file under a root."""
    files, base = open_root(root)
    _read(root, name, lambda: files.delete_file(f"{base}/{name}"))
