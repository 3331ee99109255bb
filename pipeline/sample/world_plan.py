"""The plan of a world: for each photo, its claimed identity, the person that it shows, and its kind of noise.

One idea: the plan is small and made before anything is drawn, so photos can be drawn in any process and in any order,
and the files of true labels are written from the plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.errors import UserError
from pipeline.sample.names import claimed_identities, person_name

# first numbers of people without an identity: outliers in one photo, outliers in several photos, people of the test set
OUTLIER_PEOPLE, REPEATED_OUTLIERS, TEST_PEOPLE = 1_000_000, 2_000_000, 3_000_000
JUNK = ("empty", "page", "cut", "nobody")  # an empty file, a web page, a JPEG cut short, scenery
# shares of the photos, about as others counted them in MS-Celeb-1M and as planted in noisy_lfw. A flip is a photo under
# the identity of another person, a conflict is a duplicate under another identity
OUTLIER_SHARE, FLIP_SHARE, DUPLICATE_SHARE, JUNK_SHARE, CONFLICT_SHARE = 0.27, 0.04, 0.05, 0.012, 0.012
# shares of the people: persons under two identities, identities with two persons
TWO_IDENTITIES_SHARE, TWO_PERSONS_SHARE = 0.06, 0.06
REPEATED_OUTLIER_SHARE = 0.2  # share of the identities with one wrong person in three to six photos
BYSTANDER_SHARE = 0.08  # share of the photos with a second person in them
MIN_PHOTOS, MIN_CLEAN_PHOTOS = 6, 3  # photos of an identity, and clean photos of each of its persons


class Picture(NamedTuple):
    """A picture that can be drawn: its subject, its number among the subject's pictures, and other people in it."""

    person: int
    number: int
    bystanders: tuple[int, ...] = ()


@dataclass(frozen=True)
class PlannedPhoto:
    """One photo file of the world: its claimed identity, its kind of noise, and how it is made.

    It is made as a new picture, as a duplicate of an earlier picture, or as junk.
    """

    path: str
    claimed: str  # identity
    kind: str  # clean, outlier, flip, duplicate, junk
    picture: Picture | None
    original: str = ""  # of a duplicate: the path of the original
    duplicate_number: int = 0  # of a duplicate: from 1
    junk: str = ""  # of junk: one of JUNK


@dataclass(frozen=True)
class WorldPlan:
    """All photos and people of a world."""

    seed: int
    photos: tuple[PlannedPhoto, ...]
    persons: dict[str, tuple[int, ...]]  # of each identity
    overlap: dict[str, int]  # identities whose person is in the test set as well
    test_people: tuple[int, ...]  # people of the test set: first those without photos elsewhere, then `overlap`'s
    names: dict[int, str]  # of every person by number, the same in photos and test set


class _Folder(NamedTuple):
    """An identity's folder: its persons, and the photos planned so far."""

    name: str
    persons: tuple[int, ...]
    photos: list[PlannedPhoto]


def plan_world(seed: int, *, people: int, photos: int, noise: bool = True, test_people: int | None = None) -> WorldPlan:
    """The plan of a world with these numbers of people and photos. Raises UserError when the photos are too few.

    test_people: the number of people who are only in the test set, by default half of `people`, at least 4.
    """
    if people < 2 or photos < MIN_PHOTOS * people:
        raise UserError(
            f"a world needs 2 people and {MIN_PHOTOS} photos of each, found {photos} photos of {people}: "
            f"ask for {MIN_PHOTOS * max(2, people)} photos or more"
        )
    rng = np.random.default_rng([31, seed])
    persons = _persons(rng, people, noise)
    identities = claimed_identities(seed, len(persons))
    folders = [_Folder(n, p, []) for n, p in zip(identities, persons, strict=True)]
    pictures = _PictureNumbers(rng, people, {})
    for folder, size in zip(folders, _sizes(rng, len(folders), photos), strict=True):
        _fill(folder, size, pictures, noise)
    if noise:
        _conflicts(rng, folders, round(CONFLICT_SHARE * photos))
    planned = [p for folder in folders for p in _numbered(rng, folder)]
    count = max(4, people // 2) if test_people is None else test_people
    shared = rng.choice(people, max(1, count // 8), replace=False).tolist()
    drawn_people = {p.picture.person for p in planned if p.picture} | set(range(TEST_PEOPLE, TEST_PEOPLE + count))
    return WorldPlan(
        seed=seed,
        photos=tuple(_with_originals(planned)),
        persons={f.name: f.persons for f in folders},
        overlap={f.name: p for f in folders for p in f.persons if p in shared},
        test_people=(*range(TEST_PEOPLE, TEST_PEOPLE + count), *sorted(shared)),
        names={person: person_name(seed, i) for i, person in enumerate(sorted(drawn_people))},
    )


def _persons(rng: np.random.Generator, people: int, noise: bool) -> list[tuple[int, ...]]:
    """The persons of each identity: mostly one, sometimes two; some persons are under two identities."""
    if not noise:
        return [(p,) for p in range(people)]
    two_persons, two_identities = (max(1, round(share * people)) for share in (TWO_PERSONS_SHARE, TWO_IDENTITIES_SHARE))
    two_persons, two_identities = min(two_persons, people // 4), min(two_identities, people // 4)
    order = rng.permutation(people).tolist()
    pairs = [(order[2 * i], order[2 * i + 1]) for i in range(two_persons)]
    single = order[2 * two_persons :]
    persons_of_identities = [*pairs, *((p,) for p in single), *((p,) for p in single[:two_identities])]
    return [persons_of_identities[i] for i in rng.permutation(len(persons_of_identities))]


def _sizes(rng: np.random.Generator, identities: int, photos: int) -> list[int]:
    """The number of photos of each identity: a few identities have many, each has at least MIN_PHOTOS."""
    weight = rng.lognormal(0, 0.45, identities)
    spare = weight / weight.sum() * (photos - MIN_PHOTOS * identities)
    sizes = MIN_PHOTOS + np.floor(spare).astype(int)
    sizes[np.argsort(np.floor(spare) - spare)[: photos - sizes.sum()]] += 1
    return [int(n) for n in sizes]


@dataclass
class _PictureNumbers:
    """Counters of pictures and outliers: the next picture of a person, and outliers who are in no picture yet."""

    rng: np.random.Generator
    people: int
    next_number: dict[int, int]

    def next_picture(self, person: int) -> Picture:
        number = self.next_number[person] = self.next_number.get(person, -1) + 1
        bystanders = () if self.rng.random() >= BYSTANDER_SHARE else (self.new_outlier(),)
        return Picture(person, number, bystanders)

    def new_outlier(self, kind: int = OUTLIER_PEOPLE) -> int:
        number = self.next_number[kind] = self.next_number.get(kind, -1) + 1
        return kind + 1 + number


def _fill(folder: _Folder, size: int, pictures: _PictureNumbers, noise: bool) -> None:
    """Plan the photos of a folder: first the noise, then clean photos, then duplicates of clean photos."""
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
        add(PlannedPhoto("", folder.name, "outlier", pictures.next_picture(person)))
    others = [p for p in range(pictures.people) if p not in folder.persons]
    for _ in range(counts["flip"]):
        add(PlannedPhoto("", folder.name, "flip", pictures.next_picture(int(rng.choice(others)))))
    clean = size - len(folder.photos) - counts["duplicate"]
    for i in range(clean):
        # first MIN_CLEAN_PHOTOS of each person, then persons at random
        person = folder.persons[i % len(folder.persons) if i < min_clean else int(rng.integers(len(folder.persons)))]
        add(PlannedPhoto("", folder.name, "clean", pictures.next_picture(person)))
    originals = [p for p in folder.photos if p.kind == "clean"]
    for i in range(counts["duplicate"]):
        original = originals[int(rng.integers(len(originals)))]
        add(replace(original, kind="duplicate", duplicate_number=i + 1))


def _outliers(count: int, pictures: _PictureNumbers) -> Iterator[int]:
    """The person of each outlier photo of a folder: sometimes one person in several photos, the others in one each."""
    if count >= 3 and pictures.rng.random() < REPEATED_OUTLIER_SHARE:
        person, repeats = pictures.new_outlier(REPEATED_OUTLIERS), min(count, int(pictures.rng.integers(3, 7)))
        count -= repeats
        yield from [person] * repeats
    for _ in range(count):
        yield pictures.new_outlier()


def _noise_counts(rng: np.random.Generator, size: int, max_noise: int) -> dict[str, int]:
    """The number of photos of each kind of noise in a folder, at most max_noise in all; the rate differs by folder."""
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
        target.photos[outliers[-1]] = replace(original, claimed=target.name, kind="flip", duplicate_number=100)


def _numbered(rng: np.random.Generator, folder: _Folder) -> list[PlannedPhoto]:
    """The photos of a folder in random order, with their paths."""
    order = rng.permutation(len(folder.photos))
    return [replace(folder.photos[j], path=f"{folder.name}/{i:04}.jpg") for i, j in enumerate(order, start=1)]


def _with_originals(photos: list[PlannedPhoto]) -> list[PlannedPhoto]:
    """The photos, with the path of the original in each duplicate."""
    path = {p.picture: p.path for p in photos if p.picture and not p.duplicate_number}
    return [replace(p, original=path[p.picture]) if p.duplicate_number and p.picture else p for p in photos]
