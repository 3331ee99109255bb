"""The plan of a world: for each photo, which person it shows under which identity, and which noise it is.

One idea: the plan is small and made before anything is drawn, so photos can be drawn in any process and in any order,
and the truth files are the plan written down.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.errors import UserError
from pipeline.sample.names import claimed_names, person_name

# where the numbers begin of people who are no identity: outliers seen once, outliers seen several times, the test set's
OUTLIER_PEOPLE, REPEATED_OUTLIERS, TEST_PEOPLE = 1_000_000, 2_000_000, 3_000_000
JUNK = ("empty", "page", "cut", "nobody")  # an empty file, a web page, a JPEG cut short, scenery
# shares of the photos, about those of MS-Celeb-1M as its cleaners count them and of noisy_lfw; a flip is a photo under
# another identity, a conflict a duplicate under another identity
OUTLIER_SHARE, FLIP_SHARE, DUPLICATE_SHARE, JUNK_SHARE, CONFLICT_SHARE = 0.27, 0.04, 0.05, 0.012, 0.012
TWO_NAMES_SHARE, TWO_PERSONS_SHARE = 0.06, 0.06  # of the people: persons under two identities, identities of two
REPEATED_OUTLIER_SHARE = 0.2  # share of the identities that have one wrong person in three to six photos
COMPANY_SHARE = 0.08  # share of the photos with a second person in them
MIN_PHOTOS, MIN_CLEAN_PHOTOS = 6, 3  # photos of an identity, and clean photos of each of its persons


class Picture(NamedTuple):
    """A picture that can be drawn: the person it is about, its number among that person's, the others in it."""

    person: int
    number: int
    company: tuple[int, ...] = ()


@dataclass(frozen=True)
class PlannedPhoto:
    """One file of the world: what it claims, what it is, and how it is made (picture, duplicate of one, or junk)."""

    path: str
    claimed: str  # identity
    kind: str  # clean, outlier, flip, duplicate, junk
    picture: Picture | None
    of: str = ""  # of a duplicate: the path of the original
    copy: int = 0  # of a duplicate: its number, from 1
    junk: str = ""  # of junk: one of JUNK


@dataclass(frozen=True)
class WorldPlan:
    """What a world will hold."""

    seed: int
    photos: tuple[PlannedPhoto, ...]
    persons: dict[str, tuple[int, ...]]  # of each identity
    overlap: dict[str, int]  # identities whose person is in the test set as well
    test_people: tuple[int, ...]
    name: dict[int, str]  # of every person, the same in photos and test set


class _Folder(NamedTuple):
    """An identity's folder: its persons, and the photos planned so far."""

    name: str
    persons: tuple[int, ...]
    photos: list[PlannedPhoto]


def plan_world(seed: int, *, people: int, photos: int, noise: bool = True, test_people: int | None = None) -> WorldPlan:
    """The plan of a world with a number of people and photos. Raises UserError when the photos are too few.

    test_people: how many people only the test set shows, by default half as many.
    """
    if people < 2 or photos < MIN_PHOTOS * people:
        raise UserError(
            f"a world needs 2 people and {MIN_PHOTOS} photos of each, found {photos} photos of {people}: "
            f"ask for {MIN_PHOTOS * max(2, people)} photos or more"
        )
    rng = np.random.default_rng([31, seed])
    persons = _persons(rng, people, noise)
    names = claimed_names(seed, len(persons))
    folders = [_Folder(n, p, []) for n, p in zip(names, persons, strict=True)]
    pictures = _PictureNumbers(rng, people, {})
    for folder, size in zip(folders, _sizes(rng, len(folders), photos), strict=True):
        _fill(folder, size, pictures, noise)
    if noise:
        _conflicts(rng, folders, round(CONFLICT_SHARE * photos))
    planned = [p for folder in folders for p in _numbered(rng, folder)]
    count = max(4, people // 2) if test_people is None else test_people
    shared = rng.choice(people, max(1, count // 8), replace=False).tolist()
    shown = {p.picture.person for p in planned if p.picture} | set(range(TEST_PEOPLE, TEST_PEOPLE + count))
    return WorldPlan(
        seed=seed,
        photos=tuple(_with_originals(planned)),
        persons={f.name: f.persons for f in folders},
        overlap={f.name: p for f in folders for p in f.persons if p in shared},
        test_people=(*range(TEST_PEOPLE, TEST_PEOPLE + count), *sorted(shared)),
        name={person: person_name(seed, i) for i, person in enumerate(sorted(shown))},
    )


def _persons(rng: np.random.Generator, people: int, noise: bool) -> list[tuple[int, ...]]:
    """The persons of each identity: of most one, of some two; some persons are under two identities."""
    if not noise:
        return [(p,) for p in range(people)]
    two_persons, two_names = (max(1, round(share * people)) for share in (TWO_PERSONS_SHARE, TWO_NAMES_SHARE))
    two_persons, two_names = min(two_persons, people // 4), min(two_names, people // 4)
    order = rng.permutation(people).tolist()
    doubled = [(order[2 * i], order[2 * i + 1]) for i in range(two_persons)]
    alone = order[2 * two_persons :]
    persons_of_names = [*doubled, *((p,) for p in alone), *((p,) for p in alone[:two_names])]
    return [persons_of_names[i] for i in rng.permutation(len(persons_of_names))]


def _sizes(rng: np.random.Generator, names: int, photos: int) -> list[int]:
    """The number of photos of each identity: a few have many, none has less than MIN_PHOTOS."""
    weight = rng.lognormal(0, 0.45, names)
    spare = weight / weight.sum() * (photos - MIN_PHOTOS * names)
    sizes = MIN_PHOTOS + np.floor(spare).astype(int)
    sizes[np.argsort(np.floor(spare) - spare)[: photos - sizes.sum()]] += 1
    return [int(n) for n in sizes]


@dataclass
class _PictureNumbers:
    """Numbers pictures and outliers: gives each person's next picture, and people who were not in one before."""

    rng: np.random.Generator
    people: int
    next_number: dict[int, int]

    def picture(self, person: int) -> Picture:
        number = self.next_number[person] = self.next_number.get(person, -1) + 1
        company = () if self.rng.random() >= COMPANY_SHARE else (self.new_outlier(),)
        return Picture(person, number, company)

    def new_outlier(self, kind: int = OUTLIER_PEOPLE) -> int:
        number = self.next_number[kind] = self.next_number.get(kind, -1) + 1
        return kind + 1 + number


def _fill(folder: _Folder, size: int, pictures: _PictureNumbers, noise: bool) -> None:
    """Plan the photos of a folder: first the noise, then clean photos, then duplicates of those."""
    rng, add = pictures.rng, folder.photos.append
    min_clean = MIN_CLEAN_PHOTOS * len(folder.persons)
    counts = (
        _noise_counts(rng, size, size - min_clean)
        if noise
        else dict.fromkeys(("outlier", "flip", "duplicate", "junk"), 0)
    )
    for _ in range(counts["junk"]):
        add(PlannedPhoto("", folder.name, "junk", None, junk=str(rng.choice(JUNK))))
    for person in _outliers(counts["outlier"], pictures):
        add(PlannedPhoto("", folder.name, "outlier", pictures.picture(person)))
    others = [p for p in range(pictures.people) if p not in folder.persons]
    for _ in range(counts["flip"]):
        add(PlannedPhoto("", folder.name, "flip", pictures.picture(int(rng.choice(others)))))
    clean = size - len(folder.photos) - counts["duplicate"]
    for i in range(clean):
        # each person has MIN_CLEAN_PHOTOS, the rest is drawn at random
        person = folder.persons[i % len(folder.persons) if i < min_clean else int(rng.integers(len(folder.persons)))]
        add(PlannedPhoto("", folder.name, "clean", pictures.picture(person)))
    originals = [p for p in folder.photos if p.kind == "clean"]
    for i in range(counts["duplicate"]):
        original = originals[int(rng.integers(len(originals)))]
        add(replace(original, kind="duplicate", copy=i + 1))


def _outliers(count: int, pictures: _PictureNumbers) -> Iterator[int]:
    """The persons of a folder's outliers: now and then one person several times, the others once each."""
    if count >= 3 and pictures.rng.random() < REPEATED_OUTLIER_SHARE:
        person, times = pictures.new_outlier(REPEATED_OUTLIERS), min(count, int(pictures.rng.integers(3, 7)))
        count -= times
        yield from [person] * times
    for _ in range(count):
        yield pictures.new_outlier()


def _noise_counts(rng: np.random.Generator, size: int, max_noise: int) -> dict[str, int]:
    """The number of photos of each kind of noise in a folder, max_noise in all; noise differs between folders."""
    rate = rng.beta(2.2, 2.2 * (1 / OUTLIER_SHARE - 1))
    shares = {"outlier": rate, "flip": FLIP_SHARE, "duplicate": DUPLICATE_SHARE, "junk": JUNK_SHARE}
    counts = {kind: int(rng.binomial(size, share)) for kind, share in shares.items()}
    while sum(counts.values()) > max_noise:
        counts[max(counts, key=lambda k: counts[k])] -= 1
    return counts


def _conflicts(rng: np.random.Generator, folders: list[_Folder], count: int) -> None:
    """Put duplicates of some clean photos under other identities, in place of outliers, so that no folder grows."""
    for _ in range(count):
        source, target = (folders[int(i)] for i in rng.choice(len(folders), 2, replace=False))
        outliers = [i for i, p in enumerate(target.photos) if p.kind == "outlier"]
        clean = [p for p in source.photos if p.kind == "clean"]
        if not outliers or set(source.persons) & set(target.persons):
            continue
        original = clean[int(rng.integers(len(clean)))]
        target.photos[outliers[-1]] = replace(original, claimed=target.name, kind="flip", copy=100)


def _numbered(rng: np.random.Generator, folder: _Folder) -> list[PlannedPhoto]:
    """The photos of a folder in the order their files are numbered."""
    order = rng.permutation(len(folder.photos))
    return [replace(folder.photos[j], path=f"{folder.name}/{i:04}.jpg") for i, j in enumerate(order, start=1)]


def _with_originals(photos: list[PlannedPhoto]) -> list[PlannedPhoto]:
    """The photos, with the path of the original in each duplicate."""
    path = {p.picture: p.path for p in photos if p.picture and not p.copy}
    return [replace(p, of=path[p.picture]) if p.copy and p.picture else p for p in photos]
