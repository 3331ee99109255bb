"""The rates of every kind of noise to plant: as options give them, and named presets.

A rate is a share: of the photos of the noisy data set, of its identities, or of the persons who have one.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from pipeline.errors import UserError
from pipeline.sample.world_plan import (
    DUPLICATE_SHARE,
    FLIP_SHARE,
    JUNK_SHARE,
    OUTLIER_SHARE,
    REPEATED_OUTLIER_SHARE,
    TWO_IDENTITIES_SHARE,
    TWO_PERSONS_SHARE,
)

MOST_NOISE = 0.9  # of all photos; the rest must show who is who


@dataclass(frozen=True)
class Mix:
    """The rate of each kind of noise, 0 to 1."""

    outliers: float = 0.0  # of the photos: they show people without an identity, drawn at random
    lookalikes: float = 0.0  # of the photos: outliers who are like the person of the identity, by an embedder
    companions: float = 0.0  # of the identities: those with one stranger in three to six photos
    misnamed: float = 0.0  # of the photos: they show the person of another identity
    two_names: float = 0.0  # of the persons: those who have two identities
    two_persons: float = 0.0  # of the persons: pairs of them who share an identity
    duplicates: float = 0.0  # of the photos: edited copies of others, as web sites make them
    groups: float = 0.0  # of the photos: of several people, of whom one is the identity's person
    junk: float = 0.0  # of the photos: empty or truncated files, web pages, pictures without a face
    overlap: float = 0.0  # of the identities: those whose person is in a test set that is held back

    @property
    def added(self) -> float:
        """The share of the photos that are added to those of the identities' own persons."""
        return self.outliers + self.lookalikes + self.duplicates + self.junk

    def rates(self) -> dict[str, float]:
        """The rates by the names that a user gives them."""
        return {name.replace("_", "-"): rate for name, rate in asdict(self).items()}


# ms-celeb: the rates of the sample world, which are about those counted in MS-Celeb-1M, a third of the outliers being
# people who look alike. megaface: photos of albums, in which whole labels are seldom wrong, and many people are in a
# photo. light: what a collection that was checked once may still hold
PRESETS: Mapping[str, Mix] = {
    "ms-celeb": Mix(
        outliers=round(OUTLIER_SHARE * 2 / 3, 3),
        lookalikes=round(OUTLIER_SHARE / 3, 3),
        companions=REPEATED_OUTLIER_SHARE,
        misnamed=FLIP_SHARE,
        two_names=TWO_IDENTITIES_SHARE,
        two_persons=TWO_PERSONS_SHARE,
        duplicates=DUPLICATE_SHARE,
        groups=0.08,
        junk=JUNK_SHARE,
        overlap=0.06,
    ),
    "megaface": Mix(
        outliers=0.04, lookalikes=0.01, companions=0.1, misnamed=0.02, duplicates=0.08, groups=0.25, junk=0.01
    ),
    "light": Mix(
        outliers=0.02,
        lookalikes=0.01,
        companions=0.02,
        misnamed=0.01,
        two_names=0.02,
        two_persons=0.02,
        duplicates=0.02,
    ),
}
KINDS = tuple(f.name.replace("_", "-") for f in fields(Mix))


def parse_mix(text: str) -> Mix:
    """The mix of an option: a preset, rates as kind=rate, or a preset and rates that replace its own, with commas.

    Raises one UserError that names every mistake.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    mix, mistakes, rates = Mix(), list[str](), dict[str, float]()
    for number, word in enumerate(words):
        kind, is_rate, value = (part.strip() for part in word.partition("="))
        if not is_rate and number == 0 and kind in PRESETS:
            mix = PRESETS[kind]
        elif not is_rate or kind not in KINDS:
            mistakes.append(f"{word!r} is neither kind=rate nor, in front, a preset")
        elif kind in rates:
            mistakes.append(f"{kind} is given twice")
        elif (rate := _rate(value)) is None:
            mistakes.append(f"{kind}={value} is no rate from 0 to 1")
        else:
            rates[kind] = rate
    mix = replace(mix, **{kind.replace("-", "_"): rate for kind, rate in rates.items()})
    if not mistakes and not any(mix.rates().values()):
        mistakes.append("it plants nothing")
    if not mistakes and (noise := mix.added + mix.misnamed) > MOST_NOISE:
        mistakes.append(f"outliers, lookalikes, misnamed, duplicates and junk are {noise:g} of the photos together")
    if mistakes:
        known = f"a preset ({', '.join(PRESETS)}) or rates of {', '.join(KINDS)}, at most {MOST_NOISE:g} together"
        raise UserError(f"--mix {text}: {'; '.join(mistakes)}: give {known}")
    return mix


def _rate(value: str) -> float | None:
    try:
        rate = float(value)
    except ValueError:
        return None
    return rate if 0 <= rate <= 1 else None
