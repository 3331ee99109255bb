"""Mixes as users write them: presets, rates, both; every mistake in one line."""

import pytest

from pipeline.errors import UserError
from pipeline.sample.planting.mix import PRESETS, Mix, parse_mix


def test_rates_presets_and_both() -> None:
    assert parse_mix("outliers=.2, two-names=0.5") == Mix(outliers=0.2, two_names=0.5)
    assert parse_mix("light") == PRESETS["light"]
    assert parse_mix("ms-celeb,junk=0").rates() == PRESETS["ms-celeb"].rates() | {"junk": 0}
    assert all(0 < mix.added < 0.9 for mix in PRESETS.values())


@pytest.mark.parametrize(
    "text", ["", "none", "junk", "junk=2", "junk=-.1", "junk=nan", "outliers=.8,junk=.2", "junk=0"]
)
def test_a_mistake_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match="give a preset") as error:
        parse_mix(text)
    assert len(error.value.messages) == 1


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(UserError, match=r"'many' is neither .*'blur=1' is neither .*junk=x is no rate .*twice"):
        parse_mix("many,blur=1,junk=x,outliers=.1,outliers=.2")
