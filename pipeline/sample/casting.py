"""Which photo shows whom under which name: the plan of a world, with the noise in it, before anything is drawn.

One idea: the plan is small, made at once and says for each photo how it comes about, so photos can be drawn anywhere,
in any order, and the truth is simply the plan written down.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.errors import UserError
from pipeline.sample.names import claimed_names, person_name

STRANGERS, COMPANIONS, TESTED = 1_000_000, 2_000_000, 3_000_000  # where the numbers of other people begin
JUNK = ("empty", "page", "cut", "nobody")
# Shares of the photos, about those of MS-Celeb-1M as its cleaners count them and of noisy_lfw
STRANGE, WRONG_NAME, COPIED, SPOILT, IN_CONFLICT = 0.27, 0.04, 0.05, 0.012, 0.012
TWO_NAMES, TWO_PERSONS = 0.06, 0.06  # shares of the people
ACCOMPANIED = 0.2  # share of the names with a companion who is taken for them three to six times
IN_COMPANY = 0.08  # share of the photos with somebody else in them
FEWEST, FEWEST_CLEAN = 6, 3  # photos of a name, and those that show whom it means


class Picture(NamedTuple):
    """A picture that can be drawn: who it is about, who else is there, and its number among that person's."""

    person: int
    number: int
    company: tuple[int, ...] = ()


@dataclass(frozen=True)
class Photo:
    """One file of the world: its truth, and how it comes about (a picture, a copy of one with `copy` > 0, or junk)."""

    path: str
    claimed: str
    kind: str  # clean, outlier, flip, duplicate, junk
    picture: Picture | None
    of: str = ""  # the path of the photo this is a copy of
    copy: int = 0
    junk: str = ""


@dataclass(frozen=True)
class World:
    """A world's plan: its photos, the persons of each name, and the names of each person in the test set as well."""

    seed: int
    photos: tuple[Photo, ...]
    persons: dict[str, tuple[int, ...]]
    overlap: dict[str, int]  # name -> person
    tested: tuple[int, ...]
    name: dict[int, str]  # of every person, the same in photos and test


class _Folder(NamedTuple):
    """A claimed name with its persons and the photos in it so far."""

    name: str
    persons: tuple[int, ...]
    photos: list[Photo]


def world(seed: int, *, people: int, photos: int, noise: bool = True, tested: int | None = None) -> World:
    """The plan of a world of so many people and photos. Raises UserError when the photos do not suffice."""
    if people < 2 or photos < FEWEST * people:
        raise UserError(
            f"a world needs 2 people and {FEWEST} photos of each, found {photos} photos of {people}: "
            f"ask for {FEWEST * max(2, people)} photos or more"
        )
    rng = np.random.default_rng([31, seed])
    persons = _persons(rng, people, noise)
    names = claimed_names(seed, len(persons))
    folders = [_Folder(n, p, []) for n, p in zip(names, persons, strict=True)]
    maker = _Maker(rng, people, {})
    for folder, size in zip(folders, _sizes(rng, len(folders), photos), strict=True):
        _cast(folder, size, maker, noise)
    if noise:
        _conflicts(rng, folders, round(IN_CONFLICT * photos))
    listed = [p for folder in folders for p in _numbered(rng, folder)]
    count = max(4, people // 2) if tested is None else tested
    both = rng.choice(people, max(1, count // 8), replace=False).tolist()
    shown = {p.picture.person for p in listed if p.picture} | set(range(TESTED, TESTED + count))
    return World(
        seed=seed,
        photos=tuple(_originals_by_path(listed)),
        persons={f.name: f.persons for f in folders},
        overlap={f.name: p for f in folders for p in f.persons if p in both},
        tested=(*range(TESTED, TESTED + count), *sorted(both)),
        name={person: person_name(seed, i) for i, person in enumerate(sorted(shown))},
    )


def _persons(rng: np.random.Generator, people: int, noise: bool) -> list[tuple[int, ...]]:
    """The persons of each name: most names one, some two, and some persons under two names."""
    if not noise:
        return [(p,) for p in range(people)]
    pairs, twice = (max(1, round(share * people)) for share in (TWO_PERSONS, TWO_NAMES))
    pairs, twice = min(pairs, people // 4), min(twice, people // 4)
    order = rng.permutation(people).tolist()
    together = [(order[2 * i], order[2 * i + 1]) for i in range(pairs)]
    alone = order[2 * pairs :]
    named = [*together, *((p,) for p in alone), *((p,) for p in alone[:twice])]
    return [named[i] for i in rng.permutation(len(named))]


def _sizes(rng: np.random.Generator, names: int, photos: int) -> list[int]:
    """How many photos each name gets: few many, many few, none too few."""
    weight = rng.lognormal(0, 0.45, names)
    spare = weight / weight.sum() * (photos - FEWEST * names)
    sizes = FEWEST + np.floor(spare).astype(int)
    sizes[np.argsort(np.floor(spare) - spare)[: photos - sizes.sum()]] += 1
    return [int(n) for n in sizes]


@dataclass
class _Maker:
    """Hands out new pictures: of each person the next one, and strangers who were not met before."""

    rng: np.random.Generator
    people: int
    drawn: dict[int, int]

    def picture(self, person: int, *, alone: bool = False) -> Picture:
        number = self.drawn[person] = self.drawn.get(person, -1) + 1
        company = () if alone or self.rng.random() >= IN_COMPANY else (self.stranger(),)
        return Picture(person, number, company)

    def stranger(self, kind: int = STRANGERS) -> int:
        number = self.drawn[kind] = self.drawn.get(kind, -1) + 1
        return kind + 1 + number


def _cast(folder: _Folder, size: int, maker: _Maker, noise: bool) -> None:
    """Fill a folder: first what is wrong with it, then photos of whom it means."""
    rng, add = maker.rng, folder.photos.append
    least = FEWEST_CLEAN * len(folder.persons)
    wanted = _wanted(rng, size, size - least) if noise else dict.fromkeys(("strange", "flip", "copy", "junk"), 0)
    for _ in range(wanted["junk"]):
        add(Photo("", folder.name, "junk", None, junk=str(rng.choice(JUNK))))
    strange = wanted["strange"]
    if strange >= 3 and rng.random() < ACCOMPANIED:
        companion, times = maker.stranger(COMPANIONS), min(strange, int(rng.integers(3, 7)))
        strange -= times
        for _ in range(times):
            add(Photo("", folder.name, "outlier", maker.picture(companion)))
    for _ in range(strange):
        add(Photo("", folder.name, "outlier", maker.picture(maker.stranger())))
    others = [p for p in range(maker.people) if p not in folder.persons]
    for _ in range(wanted["flip"]):
        add(Photo("", folder.name, "flip", maker.picture(int(rng.choice(others)))))
    clean = size - len(folder.photos) - wanted["copy"]
    for i in range(clean):
        # with two persons each has FEWEST_CLEAN, the rest falls as it will
        who = folder.persons[i % len(folder.persons) if i < least else int(rng.integers(len(folder.persons)))]
        add(Photo("", folder.name, "clean", maker.picture(who)))
    originals = [p for p in folder.photos if p.kind == "clean"]
    for i in range(wanted["copy"]):
        original = originals[int(rng.integers(len(originals)))]
        add(replace(original, kind="duplicate", copy=i + 1))


def _wanted(rng: np.random.Generator, size: int, most: int) -> dict[str, int]:
    """How many photos of a folder are of each kind of noise, at most so many together; folders differ in it."""
    rate = rng.beta(2.2, 2.2 * (1 / STRANGE - 1))
    shares = {"strange": rate, "flip": WRONG_NAME, "copy": COPIED, "junk": SPOILT}
    wanted = {kind: int(rng.binomial(size, share)) for kind, share in shares.items()}
    while sum(wanted.values()) > most:
        wanted[max(wanted, key=lambda k: wanted[k])] -= 1
    return wanted


def _conflicts(rng: np.random.Generator, folders: list[_Folder], count: int) -> None:
    """Put copies of some clean photos under other names, in place of strangers there, so that no folder grows."""
    for _ in range(count):
        source, target = (folders[int(i)] for i in rng.choice(len(folders), 2, replace=False))
        strange = [i for i, p in enumerate(target.photos) if p.kind == "outlier"]
        clean = [p for p in source.photos if p.kind == "clean"]
        if not strange or set(source.persons) & set(target.persons):
            continue
        original = clean[int(rng.integers(len(clean)))]
        target.photos[strange[-1]] = replace(original, claimed=target.name, kind="flip", copy=100)


def _numbered(rng: np.random.Generator, folder: _Folder) -> list[Photo]:
    """The photos of a folder in the order their files are numbered."""
    order = rng.permutation(len(folder.photos))
    return [replace(folder.photos[j], path=f"{folder.name}/{i:04}.jpg") for i, j in enumerate(order, start=1)]


def _originals_by_path(photos: list[Photo]) -> list[Photo]:
    """The photos, the copies among them with the path of what they are copies of."""
    path = {p.picture: p.path for p in photos if p.picture and not p.copy}
    return [replace(p, of=path[p.picture]) if p.copy and p.picture else p for p in photos]
