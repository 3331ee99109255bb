"""Installs Label Studio in a virtual environment of its own, because it needs other versions of the same packages.

It is started as a program and never imported.
"""

import fcntl
import logging
import os
import subprocess
import sys
import venv as environments
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError
from pipeline.user_cache import user_cache

log = logging.getLogger("refinery")
VERSION = "1.23.2"


def environment_folder() -> Path:
    """The folder of the virtual environment: the variable REFINERY_LABEL_STUDIO, or a folder in the user's cache."""
    chosen = os.environ.get("REFINERY_LABEL_STUDIO")
    return Path(chosen).absolute() if chosen else user_cache() / "label-studio"


def install(venv: Path) -> Path:
    """The path of the program that starts Label Studio; it is installed if needed (1 GB, about two minutes, once).

    venv: folder of the virtual environment. If two processes install at once, one waits for the other.
    Raises UserError when the environment cannot be made or pip cannot install Label Studio.
    """
    program = venv / "bin" / "label-studio"
    ready = venv / f".ready-{VERSION}"
    if ready.exists():
        return program
    try:
        with _install_lock(venv):
            if not ready.exists():
                log.info("installing Label Studio %s in %s: 1 GB, some minutes, once", VERSION, venv)
                environments.create(venv, with_pip=True, clear=not program.exists(), symlinks=True)
                _pip_install(venv)
                ready.touch()
                log.info("Label Studio is installed")
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(
            f"cannot make a virtual environment in {venv} ({error}): set REFINERY_LABEL_STUDIO to a folder "
            "that can be written to, with 1 GB of room"
        ) from None
    return program


@contextmanager
def _install_lock(venv: Path) -> Iterator[None]:
    """Holds a lock, so that one process at a time installs; the system releases it when the process ends."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    with open(venv.with_name(f".{venv.name}.lock"), "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _pip_install(venv: Path) -> None:
    terminal = sys.stderr.isatty()
    quiet = [] if terminal else ["-q"]
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *quiet]
    run = subprocess.run(  # noqa: S603  pip of the environment that was just made
        [*pip, f"label-studio=={VERSION}"],
        stdout=sys.stderr if terminal else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if run.returncode:
        errors = [line for line in run.stderr.split("\n") if line.startswith("ERROR")] or ["pip failed"]
        raise UserError(f"cannot install Label Studio {VERSION} in {venv} ({errors[-1][:200]}): is there a network?")
