"""Reads the name of a loss, such as "norm_softmax+intra" or "arcface:scale=16,m2=0.3+focal:gamma=1".

It names a head and further terms. Each of them is a frozen value with published settings; settings after a colon
replace some of these.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from pipeline.errors import UserError
from trainer.losses.heads import HEADS, CombinedMargin, Head, MovingHead, NormMargin, PiecewiseMargin
from trainer.losses.terms import Centre, Focal, HardExamples, Inter, Intra
from trainer.losses.triplet import TRIPLETS, Triplet

Term = Centre | Intra | Inter | Focal | HardExamples
Part = Head | Triplet | Term
P = TypeVar("P", bound=Part)
LARGEST = 1e6  # of any setting; losses with larger ones overflow

TERMS: dict[str, Term] = {
    "centre": Centre(),
    "intra": Intra(),
    "inter": Inter(),
    "inter_angle": Inter(angle=True),
    "focal": Focal(),
    "ohem": HardExamples(),
}


@dataclass(frozen=True)
class LossParts:
    """The parts of a loss.

    head: gives the loss of each photo. focal, ohem: weight or select the photos' losses before their mean is taken.
    added: terms that are added to the mean. centre: the centre loss, which is added too.
    """

    head: Head | Triplet
    focal: Focal | None = None
    ohem: HardExamples | None = None
    added: tuple[Intra | Inter, ...] = ()
    centre: Centre | None = None


def parse_loss(loss: str) -> LossParts:
    """The parts of the loss with this name.

    Raises UserError for an unknown name or setting, and for a term that cannot be combined with the head.
    """
    first, *further = _split(loss)
    head = _parse_part(first, {**HEADS, **TRIPLETS}, "head")
    terms = [_parse_part(text, TERMS, "term") for text in further]
    if len({type(t) for t in terms}) < len(terms):
        raise UserError(f"loss {loss}: give each kind of term once")
    for text, term in zip(further, terms, strict=True):
        if isinstance(head, Triplet) and not isinstance(term, Centre):
            raise UserError(f"loss {loss}: {text} needs a softmax, and {first} has none")
        if isinstance(head, CombinedMargin) and head.centres > 1 and isinstance(term, Intra | Inter):
            raise UserError(f"loss {loss}: {text} needs one centre per class, and {first} has {head.centres}")
    return LossParts(
        head,
        focal=next((t for t in terms if isinstance(t, Focal)), None),
        ohem=next((t for t in terms if isinstance(t, HardExamples)), None),
        added=tuple(t for t in terms if isinstance(t, Intra | Inter)),
        centre=next((t for t in terms if isinstance(t, Centre)), None),
    )


def with_subcentres(loss: str, centres: int = 3) -> str:
    """The name of the same loss with this many centres per class (3 is the K of the sub-centre ArcFace paper).

    Raises UserError for a loss without a margin on cosines.
    """
    if not isinstance(parse_loss(loss).head, CombinedMargin):
        raise UserError(f"loss {loss} has no sub-centres: give one with a margin on cosines, such as arcface")
    head, *further = _split(loss)
    name = "+".join([f"{head}{',' if ':' in head else ':'}centres={centres}", *further])
    parse_loss(name)
    return name


def _split(loss: str) -> list[str]:
    return re.split(r"\+(?=[a-z])", loss)


def _parse_part(text: str, known: Mapping[str, P], kind: str) -> P:
    """The head or term that "name" or "name:key=number,key=number" describes; known: the published ones by name."""
    name, _, settings = text.partition(":")
    if name not in known:
        raise UserError(f"no {kind} of a loss is called {name!r}: give one of {', '.join(known)}")
    part = known[name]
    replaced = dict(_parse_setting(text, setting, part) for setting in settings.split(",") if settings)
    part = replace(part, **replaced)  # type: ignore[arg-type]  # each setting has its field's type
    _check_range(text, part)
    return part


def _parse_setting(text: str, setting: str, part: Part) -> tuple[str, float]:
    """The key and the number of one "key=number"; the number has the type of the field that it replaces."""
    types: dict[str, type] = {f.name: type(getattr(part, f.name)) for f in fields(part)}
    key, _, number = setting.partition("=")
    if key not in types:
        settings = f"its settings are {', '.join(types)}" if types else "it has no settings"
        raise UserError(f"{text}: it has no setting {key!r}; {settings}")
    try:
        typed = float(number)
        if types[key] is not float and typed != types[key](typed):
            raise ValueError
    except (ValueError, OverflowError):
        expected = {float: "a number", int: "a whole number", bool: "0 or 1"}[types[key]]
        raise UserError(f"{text}: {key} is {number!r}, expected {expected}, as in {key}=1") from None
    return key, types[key](typed)


def _check_range(text: str, part: Part) -> None:
    """Raise UserError for settings outside their range."""
    for name in (f.name for f in fields(part)):
        if not 0 <= getattr(part, name) < LARGEST:
            raise UserError(f"{text}: {name} is {getattr(part, name)}, expected 0 or more, less than {LARGEST:g}")
    if isinstance(part, CombinedMargin) and not (part.scale > 0 and part.centres >= 1 and part.m1 > 0):
        raise UserError(f"{text}: expected scale and m1 above 0, centres at least 1")
    if isinstance(part, NormMargin) and not (
        part.scale > 0 and 0 < part.lower_norm < part.upper_norm and part.lower_margin <= part.upper_margin
    ):
        raise UserError(
            f"{text}: expected scale and lower_norm above 0, upper_norm above lower_norm, upper_margin at least "
            "lower_margin"
        )
    if isinstance(part, MovingHead) and not (part.scale > 0 and part.rate <= 1):
        raise UserError(f"{text}: expected scale above 0, rate at most 1")
    if isinstance(part, PiecewiseMargin) and part.m < 1:
        raise UserError(f"{text}: expected m at least 1")
    if isinstance(part, Triplet) and part.photos < 1:
        raise UserError(f"{text}: photos is {part.photos}, expected 1 or more photos of a person in a batch")
    if isinstance(part, HardExamples) and not 0 < part.share <= 1:
        raise UserError(f"{text}: share is {part.share}, expected more than 0, at most 1")
    if isinstance(part, Centre) and part.rate > 1:  # the paper's alpha, section 3.2
        raise UserError(f"{text}: rate is {part.rate}, expected 0 to 1")
