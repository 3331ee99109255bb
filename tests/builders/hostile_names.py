"""Names of folders and files that are markup, formulas, options, control characters, or no text at all."""

import os

from hypothesis import strategies as st

from pipeline.sources.formats.folder_walk import SYSTEM_ENDINGS, SYSTEM_FOLDERS

NAMES = (
    "[/b] [red]",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\x07",
    "line\rfeed\nname",
    "$a_\\",
    "<script>alert(1)</script>",
    "-rf --out x",
    "gpj.\u202etxt",
    "+1 @x",
    "tab\there",
    "Jürgen 'q\" 李",
    "{0} %s %(x)s",
    "a|b` #c",
    "&amp;",
    os.fsdecode(b"\xff\xfe no text"),
    "e\u0301 \u00e9",
    " blanks ",
    "~root",
    "None",
    "0",
)
PIECES = (*NAMES, *"'\"\\;,\u2028\x85\ufeff\u200d", "]]>", "${x}", "$(x)", "\\N", "..", "*?")
MAX_BYTES = 120  # of a name; a file system takes 255, of which the program needs some for its own files


def hostile_names() -> st.SearchStrategy[str]:
    """Names that a Linux folder of photos may have and that are not passed over; those that are bytes as surrogates."""
    any_byte = st.integers(0x80, 0xFF).map(lambda byte: os.fsdecode(bytes([byte])))
    piece = st.sampled_from(PIECES) | st.characters(exclude_categories=("Cs",)) | any_byte
    return st.lists(piece, min_size=1, max_size=5).map("".join).map(_without_slashes).filter(_is_taken)


def _without_slashes(name: str) -> str:
    return name.replace("/", "\u2215").replace("\0", "\x01")


def _is_taken(name: str) -> bool:
    """Whether a folder of this name can be made and is entered."""
    hidden = name.startswith(".") or name.lower() in SYSTEM_FOLDERS or name.lower().endswith(SYSTEM_ENDINGS)
    return not hidden and len(os.fsencode(name)) <= MAX_BYTES
