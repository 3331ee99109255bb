"""Text from the data as text for people: characters that would move the cursor, colour or hide are written out."""

import unicodedata

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # control, format (also those that turn the direction), surrogates, lines


def printable(text: str) -> str:
    """The text with every character of HIDDEN as \\xNN or \\uNNNN, so that it takes one line and shows all it holds."""
    if text.isprintable():
        return text
    return "".join(_written_out(c) if unicodedata.category(c) in HIDDEN else c for c in text)


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
