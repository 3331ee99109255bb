"""A verification .bin that was not written or fetched as a whole."""

import pickle

import pytest

from pipeline.errors import UserError
from pipeline.sources.test_sets.verification_bin import load


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_bin_that_is_cut_short_is_told_as_such(tmp_path, protocol):
    """Wherever it is cut: in a photo, in a number, between two of them."""
    whole = pickle.dumps(([b"\xff" * 700, b"\x01" * 300], [True]), protocol)
    for end in (*range(1, len(whole), 7), len(whole) - 1):
        (tmp_path / "lfw.bin").write_bytes(whole[:end])
        with pytest.raises(UserError, match=r"lfw\.bin is not a verification \.bin: the file is cut short"):
            load(tmp_path / "lfw.bin")
