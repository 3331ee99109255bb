from collections import Counter, defaultdict

import pytest

from pipeline.errors import UserError
from pipeline.sample.names import claimed_identities, person_name
from pipeline.sample.world_plan import MIN_CLEAN_PHOTOS, REPEATED_OUTLIERS, TEST_PEOPLE, plan_world


@pytest.fixture(scope="module")
def plan():
    return plan_world(5, people=80, photos=1200)


def test_the_plan_depends_only_on_its_seed(plan):
    assert plan == plan_world(5, people=80, photos=1200)
    assert plan.photos != plan_world(6, people=80, photos=1200).photos


def test_every_photo_has_a_path_of_its_own_in_its_identitys_folder(plan):
    assert len(plan.photos) == 1200
    assert len({p.path for p in plan.photos}) == 1200
    assert all(p.path.startswith(f"{p.claimed}/") for p in plan.photos)
    numbers = defaultdict(list)
    for photo in plan.photos:
        numbers[photo.claimed].append(photo.path)
    assert all(paths == [f"{name}/{i:04}.jpg" for i in range(1, len(paths) + 1)] for name, paths in numbers.items())
    assert min(map(len, numbers.values())) >= 6


def test_noise_is_about_as_planted_in_the_published_sets(plan):
    share = {kind: n / 1200 for kind, n in Counter(p.kind for p in plan.photos).items()}
    assert 0.2 < share["outlier"] < 0.34
    assert 0.02 < share["flip"] < 0.08
    assert 0.03 < share["duplicate"] < 0.07
    assert 0.004 < share["junk"] < 0.03
    assert 0.04 < sum(len(p.picture.bystanders) for p in plan.photos if p.picture) / 1200 < 0.12


def test_the_kind_of_a_photo_fits_its_person_and_identity(plan):
    clean = {p.path: p for p in plan.photos if p.kind == "clean"}
    for photo in plan.photos:
        person = photo.picture.person if photo.picture else None
        is_right = person in plan.persons[photo.claimed]
        assert is_right == (photo.kind in ("clean", "duplicate"))
        assert (person is None) == (photo.kind == "junk") == bool(photo.junk)
        if photo.kind == "duplicate":
            assert clean[photo.original].claimed == photo.claimed
            assert clean[photo.original].picture == photo.picture
    conflicts = [p for p in plan.photos if p.kind == "flip" and p.original]
    assert len(conflicts) > 5
    assert all(clean[p.original].picture == p.picture and clean[p.original].claimed != p.claimed for p in conflicts)
    pictures = [p.picture for p in plan.photos if p.picture and not p.duplicate_number]
    assert len(set(pictures)) == len(pictures)


def test_some_persons_have_two_identities_and_some_identities_two_persons(plan):
    names = Counter(p for persons in plan.persons.values() for p in persons)
    assert set(names) == set(range(80))
    assert sum(n == 2 for n in names.values()) == 5
    two = [name for name, persons in plan.persons.items() if len(persons) == 2]
    assert len(two) == 5
    for name in two:
        shown = Counter(p.picture.person for p in plan.photos if p.claimed == name and p.kind == "clean")
        assert len(shown) == 2
        assert min(shown.values()) >= MIN_CLEAN_PHOTOS


def test_repeated_outliers_are_in_three_to_six_photos_and_others_in_one(plan):
    outliers = defaultdict(list)
    for photo in plan.photos:
        if photo.kind == "outlier":
            outliers[photo.picture.person].append(photo.claimed)
    repeated = {person: names for person, names in outliers.items() if person > REPEATED_OUTLIERS}
    assert len(repeated) > 5
    # a conflict may have replaced one of these photos
    assert all(2 <= len(names) <= 6 and len(set(names)) == 1 for names in repeated.values())
    assert all(len(names) == 1 for person, names in outliers.items() if person < REPEATED_OUTLIERS)


def test_the_test_set_has_new_people_and_a_few_of_the_photos(plan):
    both = [p for p in plan.test_people if p < TEST_PEOPLE]
    assert len(plan.test_people) == 45
    assert len(both) == 5
    assert plan.overlap == {name: p for name, persons in plan.persons.items() for p in persons if p in both}
    assert len(set(plan.names.values())) == len(plan.names)


def test_a_world_without_noise_has_only_clean_photos():
    plan = plan_world(5, people=10, photos=100, noise=False)
    assert {p.kind for p in plan.photos} == {"clean"}
    assert sorted(plan.persons.values()) == [(i,) for i in range(10)]


def test_too_few_photos_are_an_error():
    with pytest.raises(UserError, match="found 30 photos of 6: ask for 36"):
        plan_world(0, people=6, photos=30)
    with pytest.raises(UserError, match="2 people"):
        plan_world(0, people=1, photos=30)


def test_names_and_identities_are_unique():
    assert len({person_name(3, i) for i in range(8000)}) == 8000
    assert not any(" " in person_name(3, i) for i in range(100))
    names = claimed_identities(3, 500)
    assert names == sorted(set(names))
    assert all(len(n) == 9 and n.startswith("m.") for n in names)
