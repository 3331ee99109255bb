"""Where tables lie: a folder or any address that pyarrow or fsspec can open (s3://, gs://, memory://).

One idea: a file appears whole or not at all: on a file system by a temporary name and a rename, on an object
store by one put.
"""

import errno
import json
import os
import uuid
from pathlib import Path
from typing import Any

import fsspec
from pyarrow import fs

from pipeline.errors import UserError


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
    files, base = open_root(root)
    path = f"{base}/{name}"
    try:
        if isinstance(files, fs.LocalFileSystem):
            _put_local(Path(path), data)
        else:
            files.create_dir(path.rsplit("/", 1)[0], recursive=True)
            with files.open_output_stream(path) as stream:
                stream.write(data)
    except OSError as error:
        raise UserError(_say(error, path)) from error


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
    return f"cannot write {path}: {error.strerror or error}: give a root that can be written to"


def get(root: str, name: str) -> bytes | None:
    """The bytes of one file under a root, or None where there is none."""
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
    except ValueError as error:
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
    found = files.get_file_info(selector)
    return sorted(i.path[len(base) :].lstrip("/") for i in found if i.type == fs.FileType.File)


def remove(root: str, name: str) -> None:
    """Delete one file under a root."""
    files, base = open_root(root)
    files.delete_file(f"{base}/{name}")
