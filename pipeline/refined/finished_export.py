"""Whether a folder holds the very export that a command would write: one that was stopped after its last byte does.

One idea: the files beside the data, which are written again to compare them, name all that the data depends on: the
fate and the digest of every photo, the models by their digests, the thresholds, and the command with its options.
"""

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.refined.change_lists import FOLDER as CHANGES
from pipeline.refined.data_card import today
from pipeline.refined.export import CARD, CROISSANT, FILE_DIGESTS, IDENTITIES, MANIFEST, Files, described
from pipeline.tables.digests import is_as_sealed
from pipeline.tables.table import Table

EXPORTED = re.compile(rb"^Exported on (\d{4}-\d\d-\d\d) by refinery ", re.MULTILINE)


def holds_export(out: Path, identities: Table, card: Callable[[Path, Files], None]) -> bool:
    """Whether `out` is a whole export with the files beside the data that would be written now, on whichever day.

    identities, card: as for export(). The data itself is not read: `refinery verify` does that.
    """
    shards = _shards(out)
    if shards is None or not all((out / str(shard["path"])).is_file() for shard in shards):
        return False
    with tempfile.TemporaryDirectory() as folder:
        described(Path(folder), identities, card, shards)
        return _beside(Path(folder)) == _beside(out)


def _shards(out: Path) -> Files | None:
    """The files of data that an export lists, none for one of folders; None where there is no whole export."""
    if (out / FILE_DIGESTS).is_file():
        return []
    try:
        manifest = json.loads((out / MANIFEST).read_text("utf-8"))
        shards = [dict(shard) for shard in manifest["shards"]]
        return shards if is_as_sealed(manifest) and all("path" in shard for shard in shards) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _beside(folder: Path) -> dict[str, bytes]:
    """The files beside the data, by name; the day on which they were written is taken out of them."""
    paths = [*(folder / name for name in (IDENTITIES, CARD, CROISSANT)), *(folder / CHANGES).glob("*")]
    files = {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.is_file()}
    found = EXPORTED.search(files.get(CARD, b""))
    day = found[1] if found else today().encode()
    return {name: data.replace(day, b"") if name in (CARD, CROISSANT) else data for name, data in files.items()}
