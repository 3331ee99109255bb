"""Names of losses: a head and further terms, "norm_softmax+intra" or "arcface:scale=16,m2=0.3+focal:gamma=1".

A name stands for a value with published settings; what follows its colon replaces single ones.
"""

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from pipeline.errors import UserError
from trainer.losses.heads import HEADS, Combined, Head, Piecewise
from trainer.losses.terms import Centre, Focal, HardExamples, Inter, Intra
from trainer.losses.triplet import TRIPLETS, Triplet

Term = Centre | Intra | Inter | Focal | HardExamples

TERMS: dict[str, Term] = {
    "centre": Centre(),
    "intra": Intra(),
    "inter": Inter(),
    "inter_angle": Inter(angle=True),
    "focal": Focal(),
    "ohem": HardExamples(),
}


@dataclass(frozen=True)
class Named:
    """What a loss's name stands for: a head, how photos' losses are weighted, and what is added to their mean."""

    head: Head | Triplet
    focal: Focal | None = None
    ohem: HardExamples | None = None
    added: tuple[Intra | Inter, ...] = ()
    centre: Centre | None = None


def named(loss: str) -> Named:
    """The parts of a loss by its name. Raises UserError for a name, a setting or a combination that is not there."""
    first, *further = _parts(loss)
    head = _value(first, HEADS | TRIPLETS, "head")
    terms = [_value(text, TERMS, "term") for text in further]
    if len({type(t) for t in terms}) < len(terms):
        raise UserError(f"loss {loss}: each kind of term once")
    for text, term in zip(further, terms, strict=True):
        if isinstance(head, Triplet) and not isinstance(term, Centre):
            raise UserError(f"loss {loss}: {text} needs a softmax, and {first} has none")
        if isinstance(head, Combined) and head.centres > 1 and isinstance(term, Intra | Inter):
            raise UserError(f"loss {loss}: {text} needs one centre a class, and {first} has {head.centres}")
    return Named(
        head,
        focal=next((t for t in terms if isinstance(t, Focal)), None),
        ohem=next((t for t in terms if isinstance(t, HardExamples)), None),
        added=tuple(t for t in terms if isinstance(t, Intra | Inter)),
        centre=next((t for t in terms if isinstance(t, Centre)), None),
    )


def with_subcentres(loss: str, centres: int = 3) -> str:
    """The same loss with so many centres a class (3 is sub-centre ArcFace's own K), its settings kept.

    Raises UserError where it compares no cosines with a margin.
    """
    if not isinstance(named(loss).head, Combined):
        raise UserError(f"loss {loss} has no sub-centres: give one with a margin on cosines, such as arcface")
    head, *further = _parts(loss)
    found = "+".join([f"{head}{',' if ':' in head else ':'}centres={centres}", *further])
    named(found)
    return found


def _parts(loss: str) -> list[str]:
    return re.split(r"\+(?=[a-z])", loss)


def _value(text: str, known: dict[str, Any], kind: str) -> Any:
    """The value of "name" or "name:key=value,key=value"."""
    name, _, settings = text.partition(":")
    if name not in known:
        raise UserError(f"no {kind} of a loss is called {name!r}: it is one of {', '.join(known)}")
    value = known[name]
    given = dict(_setting(text, part, value) for part in settings.split(",") if settings)
    value = replace(value, **given)
    _check(text, value)
    return value


def _setting(text: str, part: str, value: Any) -> tuple[str, Any]:
    """One "key=number" as the type that the value has there."""
    types: dict[str, type] = {f.name: type(getattr(value, f.name)) for f in fields(value)}
    key, _, number = part.partition("=")
    if key not in types:
        has = f"only {', '.join(types)}" if types else "nothing to set"
        raise UserError(f"{text}: {key!r} is not a setting of it; it has {has}")
    try:
        typed = float(number)
        if types[key] is not float and typed != int(typed):
            raise ValueError
    except (ValueError, OverflowError):
        whole = {float: "a number", int: "a whole number", bool: "0 or 1"}[types[key]]
        raise UserError(f"{text}: {key} is {number!r}, expected {whole}, as in {key}=1") from None
    return key, types[key](typed)


def _check(text: str, value: Any) -> None:
    """UserError for settings that no loss can have."""
    if not all(abs(getattr(value, f.name)) < float("inf") for f in fields(value)):
        raise UserError(f"{text}: expected finite numbers")
    if isinstance(value, Combined) and not (value.scale > 0 and value.centres >= 1 and value.m1 > 0 and value.m2 >= 0):
        raise UserError(f"{text}: expected scale and m1 above 0, m2 at least 0, centres at least 1")
    if isinstance(value, Piecewise) and not (
        value.m >= 1 and value.base >= 0 and value.least >= 0 and value.gamma >= 0
    ):
        raise UserError(f"{text}: expected m at least 1, and base, gamma and least at least 0")
    if isinstance(value, Triplet) and value.photos < 1:
        raise UserError(f"{text}: photos is {value.photos}, expected 1 or more of each person in a batch")
    if isinstance(value, HardExamples) and not 0 < value.share <= 1:
        raise UserError(f"{text}: share is {value.share}, expected more than 0, at most 1")
