"""A Prefect home with an empty database of today's form: a first start would bring it there in eight CPU seconds.

As Label Studio's empty database, it is kept in the user's cache from one run of tests to the next.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipeline.user_cache import user_cache
from tests.builders.session.made_once import made_once

DATABASE = "prefect.db"


def make_prefect_home(factory: pytest.TempPathFactory, home: Path) -> Path:
    """Fill the folder `home`, which is made, with an empty database; return `home`."""
    return Path(shutil.copytree(made_once(factory, "prefect-home", _fill), home, dirs_exist_ok=True))


def _fill(home: Path) -> None:
    kept = user_cache() / "tests" / f"prefect-{importlib.metadata.version('prefect')}.db"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as making:
            _make_database(Path(making)).rename(kept)
    shutil.copyfile(kept, home / DATABASE)


def _make_database(home: Path) -> Path:
    others = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
    subprocess.run(command, env=others | {"PREFECT_HOME": str(home)}, stdout=subprocess.DEVNULL, check=True)
    assert (home / DATABASE).stat().st_size > 100_000
    return home / DATABASE
