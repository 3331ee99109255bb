"""The intent of an erasure that is not finished: until `refinery erase` was run to its end, no labels are made."""

from pipeline.errors import UserError
from pipeline.tables import storage

INTENT_FILE = "erasures/intent.json"


def check_no_open_erasure(root: str) -> None:
    """Raise UserError where an erasure was stopped: its next run finishes what others would do halfway."""
    if storage.get(root, INTENT_FILE) is not None:
        raise UserError(f"an erasure of {root} was stopped: run `refinery erase {root} --yes`, which finishes it")
