"""The plan of a noisy data set: which photos of a clean one lie in which folder, as what, and which are changed.

One idea: the plan needs no pixels, only who is in which photo, so it is whole before a file is written, and the truth
is written from it. The same photos, mix and seed give the same plan.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pipeline.sample.cases.picture_edits import EDITS
from pipeline.sample.planting.folder_names import folder_names
from pipeline.sample.planting.lookalike_photos import Vectors, nearest_unused
from pipeline.sample.planting.mix import Mix
from pipeline.sample.planting.people import COMPANION_PHOTOS, MIN_PHOTOS, People, Photos, choose_people
from pipeline.sample.planting.planted_files import (
    COMPANION,
    GROUP,
    JUNK,
    LINK,
    LOOKALIKE,
    MISNAMED,
    OUTLIER,
    PlannedFile,
    PlantingPlan,
)

CanBeEdited = Callable[[int], bool]  # whether a photo's bytes are a picture that edits can change
SuffixOf = Callable[[int], str]  # the end of a photo's name
MIN_EACH = 2  # photos that stay under each of a person's two identities, and after some were misnamed
MAX_OTHERS = 3  # further people in a group photo


def plan_planting(
    photos: Photos,
    mix: Mix,
    seed: int,
    *,
    can_be_edited: CanBeEdited = lambda _: True,
    suffix_of: SuffixOf = lambda _: ".jpg",
    vectors: Vectors | None = None,
    edits: Sequence[str] = tuple(EDITS),
) -> PlantingPlan:
    """The plan of a noisy data set of these photos, by person, with the rates of a mix.

    can_be_edited: asked only of photos that are to be changed. suffix_of: of photos that stay as they are. vectors: of
    photos by an embedder, unit length, by which lookalikes are found; None: they are drawn at random. edits: of
    duplicates, in turn. A rate that these photos cannot give is planted as far as it goes: see PlantingPlan.planted.
    Raises UserError where too few persons have enough photos.
    """
    rng = np.random.default_rng([81, seed])
    people = choose_people(photos, mix, rng)
    planting = _Planting(people, mix, rng, can_be_edited)
    planting.name_identities()
    planting.misname()
    planting.add_companions()
    planting.add_outliers(vectors)
    planting.make_groups()
    planting.add_duplicates(edits)
    planting.add_junk()
    return planting.plan(suffix_of)


class _Planting:
    """A data set while noise is added to it: the files of each identity so far."""

    def __init__(self, people: People, mix: Mix, rng: np.random.Generator, can_be_edited: CanBeEdited) -> None:
        self.people, self.mix, self.rng, self.can_be_edited = people, mix, rng, can_be_edited
        self.folders: dict[str, list[PlannedFile]] = {}
        self.persons: dict[str, tuple[str, ...]] = {}
        self.wanted: dict[str, int] = {}
        self.planted: dict[str, int] = defaultdict(int)
        everybody = {**people.named, **people.companions, **people.strangers, **people.test}
        self.folder_of = folder_names(everybody)
        own = sum(map(len, people.named.values()))
        self.size = round(own / (1 - mix.added))  # photos of the whole data set, without those of companions
        self.everybody = sorted((i, person) for person, ids in everybody.items() for i in ids)

    def want(self, kind: str, of: int) -> int:
        """The number that the rate of a kind asks for."""
        self.wanted[kind] = round(self.mix.rates()[kind] * of)
        return self.wanted[kind]

    def shuffled(self, names: Sequence[str]) -> list[str]:
        return [names[i] for i in self.rng.permutation(len(names))]

    def name_identities(self) -> None:
        """Give each person an identity, some persons two, and some pairs of persons one."""
        named = self.people.named
        order = self.shuffled([p for p in sorted(named) if p not in self.people.in_both])
        pairs = min(self.want("two-persons", len(named)), len(order) // 2)
        paired, single = order[: 2 * pairs], order[2 * pairs :]
        two = [p for p in single if len(named[p]) >= 2 * MIN_PHOTOS] + [
            p for p in single if 2 * MIN_EACH <= len(named[p]) < 2 * MIN_PHOTOS
        ]
        two = two[: self.want("two-names", len(named))]
        for first, second in zip(paired[::2], paired[1::2], strict=True):
            self._open(self.folder_of[first], {person: named[person] for person in (first, second)})
        for person in two:
            photos = [named[person][i] for i in self.rng.permutation(len(named[person]))]
            for number in (0, 1):
                name = f"{self.folder_of[person]}{'~2' if number else ''}"
                self._open(name, {person: photos[number::2]})
        for person in sorted({*named} - {*paired, *two}):
            self._open(self.folder_of[person], {person: named[person]})
        self.planted |= {"two-persons": pairs, "two-names": len(two), "overlap": len(self.people.in_both)}
        self.want("overlap", len(named))

    def _open(self, name: str, photos: Mapping[str, Sequence[int]]) -> None:
        persons = {self.folder_of[person]: ids for person, ids in photos.items()}
        self.persons[name] = tuple(sorted(persons))
        self.folders[name] = [PlannedFile(name, p, "clean", "", i) for p, ids in persons.items() for i in ids]

    def own(self, name: str) -> int:
        """The number of photos of an identity that show its person, for two persons those of the rarer one."""
        shown = [f.person for f in self.folders[name] if f.kind == "clean"]
        return min(shown.count(person) for person in self.persons[name])

    def misname(self) -> None:
        """Move photos of persons to the identities of other persons."""
        wanted, names = self.want("misnamed", self.size), sorted(self.folders)
        clean = [(name, file) for name in names for file in self.folders[name]]
        for k in self.rng.permutation(len(clean)).tolist():
            name, file = clean[k]
            if self.planted["misnamed"] >= wanted:
                break
            left = sum(f.kind == "clean" and f.person == file.person for f in self.folders[name])
            other = names[int(self.rng.integers(len(names)))]
            if left > MIN_EACH and file.person not in self.persons[other]:
                self.folders[name].remove(file)
                self.folders[other].append(file._replace(claimed=other, kind="flip", planted=MISNAMED))
                self.planted["misnamed"] += 1

    def add_companions(self) -> None:
        """Put one stranger into each of some identities, three to six times, and less often than their own person."""
        wanted = self.want("companions", len(self.folders))
        low, high = COMPANION_PHOTOS
        places = [name for name in self.shuffled(sorted(self.folders)) if self.own(name) > low]
        for name, person in zip(places[:wanted], sorted(self.people.companions), strict=False):
            photos = self.people.companions[person]
            count = min(len(photos), self.own(name) - 1, int(self.rng.integers(low, high + 1)))
            self.folders[name] += [
                PlannedFile(name, self.folder_of[person], "outlier", COMPANION, i) for i in photos[:count]
            ]
            self.planted["companions"] += 1

    def add_outliers(self, vectors: Vectors | None) -> None:
        """Put photos of strangers into identities, unevenly: some get many, some none."""
        pool = [(i, person) for person in sorted(self.people.strangers) for i in self.people.strangers[person]]
        pool = [pool[k] for k in self.rng.permutation(len(pool))]
        wanted_alike, wanted = self.want("lookalikes", self.size), self.want("outliers", self.size)
        if vectors is not None:
            centres = {name: [f.photo for f in self.folders[name] if f.kind == "clean"] for name in self.folders}
            for name, k in nearest_unused(centres, [i for i, _ in pool], vectors, wanted_alike, self.rng):
                self._add_outlier(name, pool[k], LOOKALIKE)
                self.planted["lookalikes"] += 1
            used = {f.photo for files in self.folders.values() for f in files if f.planted == LOOKALIKE}
            pool = [entry for entry in pool if entry[0] not in used]
        else:
            wanted += wanted_alike
        names = sorted(self.folders)
        rate = min(0.9, max(0.05, self.mix.outliers + self.mix.lookalikes))
        weight = self.rng.beta(2.2, 2.2 * (1 / rate - 1), len(names)) * [len(self.folders[n]) for n in names]
        places = self.rng.choice(len(names), min(wanted, len(pool)), p=weight / weight.sum()).tolist()
        for k, entry in zip(places, pool, strict=False):
            self._add_outlier(names[k], entry, OUTLIER)
        self.planted["outliers"] = len(places)
        self.wanted |= {} if vectors is not None else {"lookalikes": 0, "outliers": wanted}

    def _add_outlier(self, name: str, photo: tuple[int, str], planted: str) -> None:
        self.folders[name].append(PlannedFile(name, self.folder_of[photo[1]], "outlier", planted, photo[0]))

    def make_groups(self) -> None:
        """Make photos of several people of some that show their identity's person."""
        wanted, beside = self.want("groups", self.size), self._people_beside()
        for name, k in self._clean_in_drawn_order():
            file = self.folders[name][k]
            if self.planted["groups"] >= wanted:
                break
            others = self._others(beside, self.persons[name], int(self.rng.integers(1, MAX_OTHERS + 1)))
            if others and all(self.can_be_edited(i) for i in (file.photo, *others)):
                self.folders[name][k] = file._replace(planted=GROUP, make=GROUP, others=others)
                self.planted["groups"] += 1

    def _clean_in_drawn_order(self) -> list[tuple[str, int]]:
        """The places of the unchanged photos that show their identity's person."""
        places = [(n, k) for n in sorted(self.folders) for k, f in enumerate(self.folders[n]) if f.kind == "clean"]
        places = [(name, k) for name, k in places if not self.folders[name][k].planted]
        return [places[k] for k in self.rng.permutation(len(places))]

    def _people_beside(self) -> list[tuple[int, str]]:
        """Photos of people who may stand beside others: those that are used nowhere, or else all."""
        used = {file.photo for files in self.folders.values() for file in files}
        strangers = [(i, person) for i, person in self.everybody if person in self.people.strangers and i not in used]
        return strangers if len({person for _, person in strangers}) > MAX_OTHERS else self.everybody

    def _others(self, beside: Sequence[tuple[int, str]], avoided: Sequence[str], count: int) -> tuple[int, ...]:
        """Photos of so many different people, none of them to be avoided; fewer where there are few people."""
        seen, others = set(avoided), list[int]()
        for k in self.rng.integers(0, len(beside), 10 * count).tolist():
            i, person = beside[k]
            if len(others) < count and self.folder_of[person] not in seen:
                seen.add(self.folder_of[person])
                others.append(i)
        return tuple(others)

    def add_duplicates(self, edits: Sequence[str]) -> None:
        """Add edited copies of clean photos, each of another photo as long as there are enough."""
        wanted, places = self.want("duplicates", self.size), self._clean_in_drawn_order()
        usable = [(name, k) for name, k in places[:wanted] if self.can_be_edited(self.folders[name][k].photo)]
        for number in range(wanted if usable else 0):
            name, k = usable[number % len(usable)]
            file, edit = self.folders[name][k], edits[number % len(edits)]
            self.folders[name].append(file._replace(kind="duplicate", planted=edit, make=edit, of=str(k)))
            self.planted["duplicates"] += 1

    def add_junk(self) -> None:
        """Add files without a face to identities drawn at random; truncated ones are cut from photos of the person."""
        names, wanted = sorted(self.folders), self.want("junk", self.size)
        for number, k in enumerate(self.rng.integers(0, len(names), wanted).tolist()):
            name, what = names[k], JUNK[number % len(JUNK)]
            photo = next(f.photo for f in self.folders[name] if f.kind == "clean") if what == "truncated" else -1
            self.folders[name].append(PlannedFile(name, "", "junk", what, photo, what))
            self.planted["junk"] += 1

    def plan(self, suffix_of: SuffixOf) -> PlantingPlan:
        """The plan, with the files of each identity numbered in random order."""
        files = list[PlannedFile]()
        for name in sorted(self.folders):
            members = self.folders[name]
            number = np.empty(len(members), int)
            number[self.rng.permutation(len(members))] = np.arange(1, len(members) + 1)
            suffixes = [suffix_of(f.photo) if f.make == LINK else ".jpg" for f in members]
            paths = [f"{name}/{n:04}{suffix}" for n, suffix in zip(number.tolist(), suffixes, strict=True)]
            for place in np.argsort(number).tolist():
                file = members[place]
                files.append(file._replace(path=paths[place], of=paths[int(file.of)] if file.of else ""))
        both = {self.folder_of[person] for person in self.people.in_both}
        overlap = {name: persons[0] for name, persons in sorted(self.persons.items()) if both & set(persons)}
        test = {self.folder_of[person]: tuple(ids) for person, ids in sorted(self.people.test.items())}
        planted = {kind: self.planted[kind] for kind in self.wanted}
        used = {i for f in files for i in (f.photo, *f.others)} | {i for ids in test.values() for i in ids}
        left_out = len({i for i, _ in self.everybody} - used)
        persons = dict(sorted(self.persons.items()))
        return PlantingPlan(tuple(files), persons, overlap, test, self.wanted, planted, left_out)
