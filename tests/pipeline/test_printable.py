"""Names that would move the cursor, colour the terminal or hide a part of themselves are written out."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from pipeline.printable import HIDDEN, JOINERS, printable


@given(st.text(st.characters()))
def test_nothing_hidden_is_left_and_plain_text_stays(text: str) -> None:
    shown = printable(text)
    assert not [c for c in shown if unicodedata.category(c) in HIDDEN and c not in JOINERS]
    assert "\n" not in shown
    assert printable(shown) == shown
    if not any(unicodedata.category(c) in HIDDEN for c in text):
        assert shown == text


def test_what_is_written_out() -> None:
    assert printable("a\x1b[31mb") == r"a\x1b[31mb"
    assert printable("gpj\u202e.exe") == r"gpj\u202e.exe"
    assert printable("a\rb\n\u2028\x85") == r"a\rb\n\u2028\x85"
    assert printable("Jürgen 李 [/b] =cmd") == "Jürgen 李 [/b] =cmd"
