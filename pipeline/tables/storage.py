"""Where tables lie: a folder or any address that pyarrow or fsspec can open (s3://, gs://, memory://).

One idea: a file appears whole or not at all: on a file system by a temporary name and a rename, on an object
store by one put.
"""

import errno
import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from pyarrow import fs

from pipeline.errors import UserError

log = logging.getLogger("refinery")

PATIENCE_S = 120.0  # for storage that is away for a while: a server that restarts, a network that stumbles
PASSING = {
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
AWAY = ("NETWORK_CONNECTION", "SLOW_DOWN", "SERVICE_UNAVAILABLE", "INTERNAL_FAILURE", "REQUEST_TIMEOUT", "curlCode")
Done = TypeVar("Done")


def patiently(root: str, do: Callable[[], Done]) -> Done:
    """What `do` gives, tried again for PATIENCE_S while the storage is away.

    Raises what a user must mend at once, and the OSError of a storage that stays away.
    """
    until, wait = time.monotonic() + PATIENCE_S, 0.5
    while True:
        try:
            return do()
        except OSError as error:
            passing = error.errno in PASSING or any(word in str(error) for word in AWAY)
            if not passing or time.monotonic() + wait > until:
                raise
            log.warning("%s does not answer (%s): tried again in %.1f s", root, _first_line(error), wait)
            time.sleep(wait)
            wait = min(2 * wait, 15.0)


def _first_line(error: OSError) -> str:
    return str(error).partition("\n")[0][:200]


def open_root(root: str) -> tuple[fs.FileSystem, str]:
    """The file system a root lies on and the root's path there."""
    if "://" not in root:
        return fs.LocalFileSystem(), str(Path(root).absolute())
    scheme, _, path = root.partition("://")
    if scheme in {"s3", "gs", "gcs", "hdfs", "file"}:
        return fs.FileSystem.from_uri(root)  # type: ignore[no-any-return]
    try:
        return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme))), "/" + path
    except (ValueError, ImportError) as error:
        raise UserError(f"cannot open the root {root}: {error}") from None


def put(root: str, name: str, data: bytes | memoryview) -> None:
    """Write one file under a root, whole or not at all.

    Raises UserError when there is no room or no permission; what was there before stays as it was.
    """
    path = f"{open_root(root)[1]}/{name}"
    try:
        patiently(root, lambda: _put(root, path, data))
    except OSError as error:
        raise UserError(_say(error, path)) from error


def _put(root: str, path: str, data: bytes | memoryview) -> None:
    files, _ = open_root(root)
    if isinstance(files, fs.LocalFileSystem):
        _put_local(Path(path), data)
        return
    if not isinstance(files, fs.S3FileSystem):  # which has no folders, and would be asked of each one above
        files.create_dir(path.rsplit("/", 1)[0], recursive=True)
    with files.open_output_stream(path) as stream:
        stream.write(data)


def _put_local(path: Path, data: bytes | memoryview) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())  # a power cut after the rename must not leave an empty file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _say(error: OSError, path: str) -> str:
    if error.errno == errno.ENOSPC:
        return f"no room left on the disk while writing {path}: free some and run again; what is finished stays"
    return f"cannot write {path}: {error.strerror or error}: give a place that can be written to"


def get(root: str, name: str) -> bytes | None:
    """The bytes of one file under a root, or None where there is none."""
    return _asked(root, name, lambda: _get(root, name))


def _asked(root: str, name: str, do: Callable[[], Done]) -> Done:
    try:
        return patiently(root, do)
    except OSError as error:
        raise UserError(
            f"cannot read {root}/{name} ({_first_line(error)}): see that it is there and may be read, and "
            "run again; what is finished stays"
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

    Raises UserError when the file is there and is no JSON.
    """
    data = get(root, name)
    if data is None:
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{root}/{name} is no JSON ({error}): remove it and run again") from None
    if not isinstance(value, dict):
        raise UserError(f"{root}/{name} holds no JSON object: remove it and run again")
    return value


def put_json(root: str, name: str, value: dict[str, Any]) -> None:
    """Write a JSON file under a root, whole or not at all."""
    put(root, name, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode())


def names(root: str, folder: str) -> list[str]:
    """The names of all files under a folder of a root, relative to the root, sorted."""
    files, base = open_root(root)
    selector = fs.FileSelector(f"{base}/{folder}".rstrip("/"), recursive=True, allow_not_found=True)
    found = _asked(root, folder, lambda: files.get_file_info(selector))
    return sorted(i.path[len(base) :].lstrip("/") for i in found if i.type == fs.FileType.File)


def remove(root: str, name: str) -> None:
    """Delete one file under a root."""
    files, base = open_root(root)
    _asked(root, name, lambda: files.delete_file(f"{base}/{name}"))
