"""Starts a program that ends with this process, however that ends: by itself, by Ctrl-C, or killed.

Between the two stands a small process, which runs this file. It holds one end of a pipe; the system closes the other
end when this process is gone, and then the program and its own children are ended. A process of this program that
another library starts calls end_with_parent() itself.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

END_TIMEOUT_S = 15.0  # a server writes its database before it ends
PARENT_POLL_S = 0.5
ORPHAN_TIMEOUT_S = 5.0  # for a run whose parent is gone; its work is kept in whole shards


def start_child(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    output: int | IO[bytes] = subprocess.DEVNULL,
    errors: int | IO[bytes] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, which a Ctrl-C in the terminal does not reach.

    output, errors: files for what it prints, None for those of this process; folder: the program's working folder.
    Files that it makes can be read by their owner only. Its exit status is that of the returned process.
    """
    return subprocess.Popen(  # noqa: S603  the caller's program
        [sys.executable, "-I", __file__, *map(str, command)],
        env=env,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=errors,
        cwd=folder,
        start_new_session=True,
        umask=0o077,
    )


def end_child(child: subprocess.Popen[bytes]) -> None:
    """End a program that start_child() started, with its children, and wait until it has ended."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            os.killpg(child.pid, sign)
        try:
            child.wait(END_TIMEOUT_S + 5)
            break
        except subprocess.TimeoutExpired:
            continue
    if child.stdin is not None:
        child.stdin.close()


def end_with_parent(parent: int) -> None:
    """Let this process end soon after its parent has, by SIGTERM and, if it then goes on, by SIGKILL.

    parent: the number of the process that started this one; if that is gone already, this process ends as well.
    """
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:  # a child that is left alone gets another parent
        time.sleep(PARENT_POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_TIMEOUT_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _run_with_parent(command: Sequence[str]) -> int:
    """Run a program until it ends, or until the pipe at standard input closes; returns the program's exit status."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # sent to the whole group: the program ends, and then this process
    program = subprocess.Popen(  # noqa: S603  the caller's program
        command, stdin=subprocess.DEVNULL, preexec_fn=_terminable
    )
    threading.Thread(target=_end_with_parent, args=(program,), daemon=True).start()
    status = program.wait()
    return status if status >= 0 else 128 - status


def _terminable() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end_with_parent(program: subprocess.Popen[bytes]) -> None:
    """Wait until the parent is gone; then end the whole group of processes."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGTERM)
    try:
        program.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_run_with_parent(sys.argv[1:]))
