"""The id under which a tracker knows a training, kept in its folder, so that a continued training is the same run."""

import json
from pathlib import Path
from typing import Any

from pipeline.whole_files import write_whole

FILE = "tracked.json"  # ids by the name of the tracker


def read_run_id(out: Path, tracker: str) -> str:
    """The id of the run of a tracker; "" for none."""
    return str(_ids(out).get(tracker, ""))


def write_run_id(out: Path, tracker: str, run_id: str) -> None:
    """Keep the id of a run."""
    ids = _ids(out) | {tracker: run_id}
    write_whole(out / FILE, json.dumps(ids, indent=1, sort_keys=True, allow_nan=False) + "\n")


def _ids(out: Path) -> dict[str, Any]:
    try:
        ids = json.loads((out / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return ids if isinstance(ids, dict) else {}
