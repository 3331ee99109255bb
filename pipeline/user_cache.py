"""The folder in which files are kept for this user between runs, outside of any root."""

import os
from pathlib import Path


def user_cache() -> Path:
    """The folder of the variable REFINERY_CACHE, by default ~/.cache/refinery."""
    chosen = os.environ.get("REFINERY_CACHE")
    return Path(chosen).absolute() if chosen else Path.home() / ".cache" / "refinery"


def cohorts_cache() -> str:
    """The root in the user's cache for the cohorts that `refinery calibrate` makes."""
    return str(user_cache() / "cohorts")


def faces_cache() -> str:
    """The root in the user's cache for the faces and embeddings of test sets and of folders that were searched."""
    return str(user_cache() / "faces")
