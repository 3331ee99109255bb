"""Names of losses: a head and further terms, "norm_softmax+intra" or "arcface:scale=16,m2=0.3+focal:gamma=1".

Each name stands for a frozen value with published settings; settings after its colon replace single ones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from pipeline.errors import UserError
from trainer.losses.heads import HEADS, CombinedMargin, Head, PiecewiseMargin
from trainer.losses.terms import Centre, Focal, HardExamples, Inter, Intra
from trainer.losses.triplet import TRIPLETS, Triplet

Term = Centre | Intra | Inter | Focal | HardExamples
Part = Head | Triplet | Term
P = TypeVar("P", bound=Part)

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
    """What a loss's name stands for: a head, how photos' losses are weighted, and what is added to their mean."""

    head: Head | Triplet
    focal: Focal | None = None
    ohem: HardExamples | None = None
    added: tuple[Intra | Inter, ...] = ()
    centre: Centre | None = None


def parse_loss(loss: str) -> LossParts:
    """The parts of a loss by its name. Raises UserError for an unknown name or setting, or an unfit combination."""
    first, *further = _split(loss)
    head = _value(first, {**HEADS, **TRIPLETS}, "head")
    terms = [_value(text, TERMS, "term") for text in further]
    if len({type(t) for t in terms}) < len(terms):
        raise UserError(f"loss {loss}: give each kind of term once")
    for text, term in zip(further, terms, strict=True):
        if isinstance(head, Triplet) and not isinstance(term, Centre):
            raise UserError(f"loss {loss}: {text} needs a softmax, and {first} has none")
        if isinstance(head, CombinedMargin) and head.centres > 1 and isinstance(term, Intra | Inter):
            raise UserError(f"loss {loss}: {text} needs one centre a class, and {first} has {head.centres}")
    return LossParts(
        head,
        focal=next((t for t in terms if isinstance(t, Focal)), None),
        ohem=next((t for t in terms if isinstance(t, HardExamples)), None),
        added=tuple(t for t in terms if isinstance(t, Intra | Inter)),
        centre=next((t for t in terms if isinstance(t, Centre)), None),
    )


def with_subcentres(loss: str, centres: int = 3) -> str:
    """The name of the same loss with this many centres per class (3 is sub-centre ArcFace's own K).

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


def _value(text: str, known: Mapping[str, P], kind: str) -> P:
    """The value of "name" or "name:key=value,key=value"."""
    name, _, settings = text.partition(":")
    if name not in known:
        raise UserError(f"no {kind} of a loss is called {name!r}: give one of {', '.join(known)}")
    value = known[name]
    replaced = dict(_setting(text, part, value) for part in settings.split(",") if settings)
    value = replace(value, **replaced)  # type: ignore[arg-type]  # each setting has its field's type
    _check(text, value)
    return value


def _setting(text: str, part: str, value: Part) -> tuple[str, float]:
    """One "key=number", the number in the type of the field that it replaces."""
    types: dict[str, type] = {f.name: type(getattr(value, f.name)) for f in fields(value)}
    key, _, number = part.partition("=")
    if key not in types:
        settings = f"only {', '.join(types)}" if types else "nothing to set"
        raise UserError(f"{text}: {key!r} is not a setting of it; it has {settings}")
    try:
        typed = float(number)
        if types[key] is not float and typed != int(typed):
            raise ValueError
    except (ValueError, OverflowError):
        expected = {float: "a number", int: "a whole number", bool: "0 or 1"}[types[key]]
        raise UserError(f"{text}: {key} is {number!r}, expected {expected}, as in {key}=1") from None
    return key, types[key](typed)


def _check(text: str, value: Part) -> None:
    """Raise UserError for settings outside a loss's range."""
    if not all(abs(getattr(value, f.name)) < float("inf") for f in fields(value)):
        raise UserError(f"{text}: expected finite numbers")
    if isinstance(value, CombinedMargin) and not (
        value.scale > 0 and value.centres >= 1 and value.m1 > 0 and value.m2 >= 0
    ):
        raise UserError(f"{text}: expected scale and m1 above 0, m2 at least 0, centres at least 1")
    if isinstance(value, PiecewiseMargin) and not (
        value.m >= 1 and value.base >= 0 and value.least >= 0 and value.gamma >= 0
    ):
        raise UserError(f"{text}: expected m at least 1, and base, gamma and least at least 0")
    if isinstance(value, Triplet) and value.photos < 1:
        raise UserError(f"{text}: photos is {value.photos}, expected 1 or more photos of a person in a batch")
    if isinstance(value, HardExamples) and not 0 < value.share <= 1:
        raise UserError(f"{text}: share is {value.share}, expected more than 0, at most 1")
