"""Text from the data as text for people: characters that would move the cursor, colour or hide are written out."""

import unicodedata

JOINERS = "\u200c\u200d"  # which Persian and Indic names and emojis are written with
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # control, format (also those that turn the direction), surrogates, lines


def printable(text: str) -> str:
    """The text in one line that shows all it holds: characters of HIDDEN, without JOINERS, as in Python."""
    if text.isprintable():
        return text
    return "".join(c if _is_shown(c) else c.encode("unicode_escape").decode() for c in text)


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in HIDDEN or character in JOINERS
