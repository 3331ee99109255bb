"""Large arrays that all ranks of a host need: one rank computes them, and all ranks map the same file into memory."""

import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from trainer.distributed.exchange import gather_values
from trainer.distributed.ranks import rank, world_size

Arrays = tuple[NDArray[np.int64], ...]


def once_a_host(build: Callable[[], Arrays]) -> Arrays:
    """The arrays that `build` returns, read-only where several ranks share them; all ranks call this.

    The first rank of each host builds them and writes them to a temporary file, which is removed as soon as the other
    ranks have opened it: what they have mapped stays until they end. A rank that cannot open the file, because its
    container sees another folder of temporary files, builds the arrays itself. A UserError of `build` is raised on all
    ranks.
    """
    if world_size() == 1:
        return build()
    hosts = gather_values(socket.gethostname())
    first = hosts.index(hosts[rank()])
    folder, messages = "", []
    if rank() == first:
        try:
            folder = _written(build())
        except UserError as error:
            messages = list(error.messages)
    outcomes = gather_values([folder, messages])
    if failed := next((said for _, said in outcomes if said), None):
        if folder:  # of this host, where another one failed
            shutil.rmtree(folder, ignore_errors=True)
        raise UserError(*failed)
    try:
        return _mapped(outcomes[first][0]) or build()
    finally:
        gather_values(None)  # all ranks have opened the files
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _written(arrays: Arrays) -> str:
    """A new temporary folder with a file for each array; "" where there is no room for them."""
    folder = tempfile.mkdtemp(prefix="refinery-")
    try:
        for i, array in enumerate(arrays):
            np.save(Path(folder, f"{i}.npy"), array, allow_pickle=False)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return ""
    return folder


def _mapped(folder: str) -> Arrays:
    """The arrays in a folder, mapped into memory; () where they cannot be opened."""
    files = sorted(Path(folder).glob("*.npy"), key=lambda file: int(file.stem)) if folder else []
    try:
        return tuple(np.asarray(np.load(file, mmap_mode="r")) for file in files)
    except (OSError, ValueError):
        return ()
