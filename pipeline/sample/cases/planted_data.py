"""Planted data of a benchmark: made once for its parameters, and whole or not at all."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.tables.digests import content_digest


def planted_data(out: Path, parameters: Mapping[str, Any], plant: Callable[[Path], object]) -> Path:
    """The folder in `out` with the data of these parameters; where there is none, plant(folder) makes it."""
    words = json.dumps(parameters, sort_keys=True, default=str, allow_nan=False)
    folder = out / f"data-{content_digest(words.encode())[:12]}"
    if not folder.exists():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)  # of a run that was stopped
        out.mkdir(parents=True, exist_ok=True)
        plant(part)
        part.rename(folder)
    return folder
