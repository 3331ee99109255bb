"""Answers of people that are gone: refinement.json names the files of the ledger with which the labels were made.

Without this list a ledger that was lost would look like one that never was, and labels would change back unseen.
"""

from pipeline.errors import UserError
from pipeline.refinement import FILE, LEDGER, ledger_files
from pipeline.tables import storage


def lost_answers(root: str) -> list[str]:
    """The files of answers with which the refinement in force was made and that are gone.

    They are known even where refinement.json is damaged otherwise, so that the next run does not forget them.
    """
    names = (storage.get_json(root, FILE) or {}).get("ledger")
    known = {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
    return sorted(known.difference(ledger_files(root)))


def check_answers(root: str) -> None:
    """Raise UserError where answers are gone with which the refinement was made: its labels would change back."""
    if lost := lost_answers(root):
        raise UserError(
            f"{len(lost)} files of answers that the labels were made with are gone from {root}/{LEDGER} ({lost[0]}): "
            "put them back from a backup, or run `refinery refine` with --without-lost-answers to do without them"
        )
