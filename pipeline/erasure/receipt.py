"""The receipt of an erasure: what was removed, how many of each kind, when, why, and the digests of the tables.

It holds no face and no path, and no name unless the user gives one.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from importlib.metadata import version

from pipeline.faces.tombstones.tombstones import FOLDER
from pipeline.refinement import Refinement
from pipeline.tables import storage

OPEN, NOTHING = "Still to be done: ", "nothing"


@dataclass(frozen=True)
class Receipt:
    """A receipt. Counts are by what was counted; open: what is still to be done, "" if nothing."""

    erasure: str
    started: str  # UTC
    reason: str
    person: str  # as the user gives it; "": not given
    tool: str
    found: Mapping[str, int]
    removed: Mapping[str, int]
    tables_before: str
    tables_after: str
    open: str

    def text(self) -> str:
        """The receipt for people."""
        person = f"Person: {self.person}\n" if self.person else ""
        return (
            f"Erasure {self.erasure}, begun {self.started} by {self.tool}\n{person}Reason: {self.reason}\n\n"
            f"Found\n{_lines(self.found)}\nRemoved\n{_lines(self.removed)}\n"
            f"Digest of the tables before: {self.tables_before}\nDigest of the tables after:  {self.tables_after}\n"
            f"{OPEN}{self.open or NOTHING}\n\n"
            "Not erased: the photos in your own sources, backups, exports that were handed on, and what models have\n"
            "learned from them.\n"
        )


def write_receipt(root: str, receipt: Receipt) -> tuple[str, str]:
    """Write the receipt as JSON and as text, and return the names of both files below the root."""
    names = f"{FOLDER}/{receipt.erasure}.receipt.json", f"{FOLDER}/{receipt.erasure}.receipt.txt"
    storage.put_json(root, names[0], asdict(receipt))
    storage.put(root, names[1], receipt.text().encode("utf-8", "replace"))
    return names


def close_receipts(root: str) -> None:
    """Write the receipts again that say that something is still to be done, now that nothing is."""
    for name in storage.list_files(root, FOLDER):
        if name.endswith(".receipt.json") and (value := storage.get_json(root, name) or {}).get("open"):
            storage.put_json(root, name, value | {"open": ""})
            text = f"{name.removesuffix('.json')}.txt"
            was = (storage.get(root, text) or b"").decode()
            storage.put(root, text, was.replace(f"{OPEN}{value['open']}\n", f"{OPEN}{NOTHING}\n").encode())


def digest_of_tables(refinement: Refinement) -> str:
    """A digest of all tables in force, by their names and contents."""
    words = (f"{name} {table.digest}" for name, table in sorted(refinement.tables.items()))
    return blake2b("\n".join(words).encode(), digest_size=16).hexdigest()


def tool() -> str:
    """The program and its version."""
    return f"refinery {version('face-refinery')}"


def _lines(counts: Mapping[str, int]) -> str:
    return "".join(f"  {n:>8,}  {what}\n" for what, n in counts.items())
