"""A program `refinery` for shell scripts that forks its commands: started anew, each would load libraries for seconds.

The program sends its arguments over a socket to the test's process, which forks the command from one that has loaded
the libraries, and waits for its output and its exit status.
"""

import json
import os
import shlex
import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.cli import console
from tests.builders.processes import forked

PROGRAM = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    connection.sendall(json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    ended = json.loads(connection.makefile().readline())
sys.stdout.write(ended["out"])
sys.stderr.write(ended["err"])
sys.exit(ended["status"])
"""


@contextmanager
def forked_refinery(folder: Path) -> Iterator[Path]:
    """While the block runs, a program `refinery` is in a new folder below `folder`; yields it, to be put into PATH."""
    with tempfile.TemporaryDirectory() as short, _Commands(f"{short}/socket", _Command) as server:
        server.logs = folder / "commands"
        programs = server.logs / "bin"
        programs.mkdir(parents=True)
        words = (sys.executable, "-I", "-S", str(programs / "refinery.py"), f"{short}/socket")
        (programs / "refinery.py").write_text(PROGRAM)
        (programs / "refinery").write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (programs / "refinery").chmod(0o755)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        yield programs
        server.shutdown()


class _Commands(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    logs: Path


class _Command(socketserver.StreamRequestHandler):
    server: _Commands

    def handle(self) -> None:
        words, folder, environment = json.loads(self.rfile.readline())
        (log := Path(tempfile.mkdtemp(dir=self.server.logs))).joinpath("out").touch()
        process = forked.start(_run, words, folder, str(log / "out"), log=log / "err", environment=environment)
        status, err = process.wait()
        ended: dict[str, Any] = {"status": status, "out": (log / "out").read_text(), "err": err}
        self.wfile.write(json.dumps(ended).encode() + b"\n")


def _run(words: list[str], folder: str, out: str) -> None:
    os.chdir(folder)
    os.dup2(os.open(out, os.O_WRONLY | os.O_APPEND), 1)
    sys.argv = ["refinery", *words]
    console.main()
