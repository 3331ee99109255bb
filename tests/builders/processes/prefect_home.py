"""A Prefect home with an empty database of today's form: a first start would bring it there in eight CPU seconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.session.made_once import made_once


def make_prefect_home(factory: pytest.TempPathFactory, home: Path) -> Path:
    """Fill the folder `home`, which is made, with a database that is made once in a run of tests; return `home`."""
    empty = made_once(factory, "prefect-home", _make_database)
    return Path(shutil.copytree(empty, home, dirs_exist_ok=True))


def _make_database(home: Path) -> None:
    others = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
    subprocess.run(command, env=others | {"PREFECT_HOME": str(home)}, stdout=subprocess.DEVNULL, check=True)
    for path in home.iterdir():
        if path.name != "prefect.db":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert (home / "prefect.db").stat().st_size > 100_000
