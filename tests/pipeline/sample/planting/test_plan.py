"""The plan of planted noise: every rate is met, and what the truth says of a photo is so."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sample.planting.folder_names import folder_names
from pipeline.sample.planting.mix import PRESETS, Mix
from pipeline.sample.planting.plan import plan_planting
from pipeline.sample.planting.planted_files import COMPANION, JUNK, LOOKALIKE, PlannedFile, PlantingPlan

MIX = PRESETS["ms-celeb"]


def photos_of(sizes: list[int]) -> dict[str, list[int]]:
    """So many photos of each of several people, numbered through."""
    starts = np.cumsum([0, *sizes]).tolist()
    return {f"person {i:03}": list(range(starts[i], starts[i + 1])) for i in range(len(sizes))}


MANY = photos_of([1] * 300 + [2] * 80 + [8] * 60 + [12] * 40)


def by_identity(plan: PlantingPlan) -> dict[str, list[PlannedFile]]:
    """The files of each identity."""
    files = defaultdict(list)
    for file in plan.files:
        files[file.claimed].append(file)
    return files


def test_every_rate_is_met_and_the_truth_is_so() -> None:
    plan = plan_planting(MANY, MIX, seed=4)
    assert plan.planted == plan.wanted
    assert all(plan.planted[kind] > 0 for kind, rate in MIX.rates().items() if rate and kind != "lookalikes")
    size, companions = len(plan.files), sum(f.planted == COMPANION for f in plan.files)
    for kind, rate in (("outliers", MIX.outliers + MIX.lookalikes), ("misnamed", MIX.misnamed), ("junk", MIX.junk)):
        assert plan.planted[kind] / (size - companions) == pytest.approx(rate, abs=0.01)
    person_of = {i: name for name, ids in MANY.items() for i in ids}
    named = {person for persons in plan.persons.values() for person in persons}
    folder = folder_names(MANY)
    for file in plan.files:
        assert file.person == (folder[person_of[file.photo]] if file.kind != "junk" else "")
        assert (file.person in plan.persons[file.claimed]) == (file.kind in ("clean", "duplicate"))
        assert (file.person in named) == (file.kind in ("clean", "duplicate", "flip"))
        assert file.path.startswith(f"{file.claimed}/")
    assert len({f.path for f in plan.files}) == size
    originals = {f.path: f for f in plan.files if f.kind == "clean"}
    for file in plan.files:
        assert bool(file.of) == (file.kind == "duplicate")
        assert not file.of or originals[file.of].photo == file.photo


def test_companions_names_and_the_test_set() -> None:
    plan = plan_planting(MANY, MIX, seed=4)
    for files in by_identity(plan).values():
        strangers = Counter(f.person for f in files if f.planted == COMPANION)
        assert all(3 <= n <= 6 for n in strangers.values())
        assert len(strangers) <= 1
        assert sum(strangers.values()) < sum(f.kind == "clean" for f in files)
    two = Counter(person for persons in plan.persons.values() for person in persons)
    assert sum(n == 2 for n in two.values()) == plan.planted["two-names"]
    assert sum(len(persons) == 2 for persons in plan.persons.values()) == plan.planted["two-persons"]
    assert len(plan.overlap) == plan.planted["overlap"]
    assert len(plan.test) == 2 * len(plan.overlap)
    used = Counter(f.photo for f in plan.files if f.kind not in ("duplicate", "junk"))
    assert set(used.values()) == {1}
    assert not {i for ids in plan.test.values() for i in ids} & set(used), "a photo of the test set is not in the data"


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan_planting(MANY, MIX, seed=4) == plan_planting(dict(reversed(MANY.items())), MIX, seed=4)
    assert plan_planting(MANY, MIX, seed=4) != plan_planting(MANY, MIX, seed=5)


def test_lookalikes_are_the_nearest_strangers() -> None:
    photos = photos_of([1] * 40 + [5] * 4)
    person = {i: k for k, ids in enumerate(photos.values()) for i in ids}
    angle = {k: (k - 40) * np.pi / 2 if k >= 40 else k * np.pi / 20 for k in range(44)}  # four people, 40 in a circle
    vectors = {i: np.array([np.cos(angle[k]), np.sin(angle[k])]) for i, k in person.items()}
    plan = plan_planting(photos, Mix(lookalikes=0.3), seed=1, vectors=vectors)
    alike = [f for f in plan.files if f.planted == LOOKALIKE]
    assert len(alike) == plan.planted["lookalikes"] == 9
    for file in alike:
        own = next(f.photo for f in plan.files if f.claimed == file.claimed and f.kind == "clean")
        assert vectors[own] @ vectors[file.photo] > np.cos(np.pi / 6)


def test_what_cannot_be_reached_is_planted_as_far_as_it_goes() -> None:
    plan = plan_planting(photos_of([4] * 6), Mix(outliers=0.5, companions=1, overlap=1, two_names=1), seed=0)
    short = {kind for kind, n in plan.wanted.items() if plan.planted[kind] < n}
    assert "outliers" in short
    assert len(plan.persons) >= 2
    with pytest.raises(UserError, match="1 of 2 identities have 3 photos or more"):
        plan_planting(photos_of([2, 9]), MIX, seed=0)


def test_photos_that_cannot_be_edited_are_not() -> None:
    plan = plan_planting(MANY, MIX, seed=4, can_be_edited=lambda i: i % 3 > 0)
    changed = [i for f in plan.files if f.make and f.make not in JUNK for i in (f.photo, *f.others)]
    assert changed
    assert all(i % 3 for i in changed)


def test_any_name_is_one_folder() -> None:
    names = [
        "a b",
        "a_b",
        "..",
        ".x",
        "a/b",
        "Ünï 名",
        "",
        "lost+found",
        "__pycache__",
        "x" * 300,
        "x" * 299,
        "con",
        "'=x",
    ]
    folders = folder_names(names)
    assert len(set(folders.values())) == len(names)
    for folder in folders.values():
        assert folder
        assert not folder.startswith((".", "'"))
        assert not set(folder) & set(" /\\\t\n\"'~")
        assert len(folder.encode()) < 200
