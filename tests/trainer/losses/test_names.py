"""Names of losses: settings in a name replace published ones; a name that cannot be read raises one line."""

from dataclasses import fields

import pytest

from pipeline.errors import UserError
from trainer.losses.heads import HEADS, CombinedMargin
from trainer.losses.names import TERMS, parse_loss, with_subcentres
from trainer.losses.triplet import TRIPLETS


def test_settings_in_a_name_replace_published_ones() -> None:
    parts = parse_loss("arcface:scale=16,m2=0.3+focal:gamma=1e+0+centre")
    assert repr(parts.head) == "CombinedMargin(scale=16.0, m1=1.0, m2=0.3, m3=0.0, centres=1, shortcut=False)"
    assert repr(parts.focal) == "Focal(gamma=1.0)"
    assert parts.centre is not None
    assert parse_loss("a_softmax:m=2,least=0").head == parse_loss("a_softmax:m=2.0,least=0.0").head


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("arcfaec", "no head of a loss is called 'arcfaec': give one of softmax, "),
        ("arcface+hard", "no term of a loss is called 'hard': give one of centre, "),
        ("arcface:m4=1", "arcface:m4=1: it has no setting 'm4'; its settings are scale, m1"),
        ("softmax:scale=1", "it has no setting 'scale'; it has no settings"),
        ("arcface:m2=half", "m2 is 'half', expected a number"),
        ("a_softmax:m=1.5", "m is '1.5', expected a whole number"),
        ("arcface:scale=0", "expected scale and m1 above 0"),
        ("arcface:scale=nan", "scale is nan, expected 0 or more"),
        ("a_softmax:m=0", "expected m at least 1"),
        ("magface:lower_norm=200", "upper_norm above lower_norm"),
        ("softmax+centre:rate=2", "rate is 2.0, expected 0 to 1"),
        ("arcface+ohem:share=2", "share is 2.0, expected more than 0, at most 1"),
        ("triplet+focal", "focal needs a softmax, and triplet has none"),
        ("subcenter+intra", "intra needs one centre per class, and subcenter has 3"),
        ("arcface+focal+focal", "each kind of term once"),
    ],
)
def test_a_name_that_cannot_be_read_raises_one_line(name: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        parse_loss(name)
    assert message in str(error.value)


PARTS = {**HEADS, **TRIPLETS, **{f"arcface+{name}": term for name, term in TERMS.items()}}
SETTINGS = [(name, f.name) for name, part in PARTS.items() for f in fields(part)]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e30"])
@pytest.mark.parametrize(("part", "setting"), SETTINGS)
def test_every_setting_is_checked_for_its_range(part: str, setting: str, value: str) -> None:
    with pytest.raises(UserError, match=f"{setting}"):
        parse_loss(f"{part}:{setting}={value}")


def test_a_loss_with_sub_centres_keeps_its_settings() -> None:
    head = parse_loss(with_subcentres("arcface:scale=16,m2=0.3+focal")).head
    assert isinstance(head, CombinedMargin)
    assert (head.scale, head.m2, head.centres) == (16, 0.3, 3)
    assert with_subcentres("cosface", 2) == "cosface:centres=2"
    for loss in ("softmax", "a_softmax", "triplet", "arcface+intra"):
        with pytest.raises(UserError, match=loss.split("+")[0]):
            with_subcentres(loss)
