"""`refinery benchmark ranks`: samples of the exact size, an index of few bytes a record. No time is asserted."""

import re

import pytest

from flows.benchmark.speed.ranks import _index_row, _sample_row, ranks
from pipeline.errors import UserError


def test_an_index_takes_less_than_40_bytes_a_record() -> None:
    assert all(float(n) < 40 for n in re.findall(r"([\d.]+) bytes a record", _index_row(60_000)["figures"]))
    assert _index_row(10)["figures"].count("bytes a record") == 2


def test_a_sample_has_exactly_its_share_of_the_classes() -> None:
    assert _sample_row()["figures"].startswith("100,000 classes, ")


def test_no_records_are_refused() -> None:
    with pytest.raises(UserError, match="--rec-records 0: give 1 or more"):
        ranks(rec_records=0)
