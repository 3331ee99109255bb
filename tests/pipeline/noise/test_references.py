"""Faces of other people, and few identities, from the tables up to the labels."""

import numpy as np
import pytest

from pipeline.noise.calibration import read_calibration
from pipeline.noise.stages import find_noise
from pipeline.refined.labels import label
from tests.builders.tables.drawn_vectors import DIM, person, tables, unit

pytestmark = pytest.mark.slow

NARROW = 1 / (1 + np.arange(DIM) / 20)  # of a model that uses some directions more than others, as all real ones do


def face(centre, rng, distance=0.5):
    return unit(unit(centre + distance * person(rng)) * NARROW)


def few_identities(root, rng, *, count=6, photos=18, wrong=6, alike=0.0):
    """Tables of `count` identities; `wrong` photos of each show somebody else, each another person.

    alike: how much all people have in common; of 1 their cosines are about 0.5.
    """
    rows, number = [], 0
    common = alike * person(rng)
    for name in range(count):
        centre = unit(person(rng) + common)
        for k in range(photos):
            kind = "wrong" if k < wrong else "right"
            shown = unit(person(rng) + common) if k < wrong else centre
            rows.append((f"n{name}/{k:02d}{kind}.jpg", f"n{name}", face(shown, rng), number))
            number += 1
    return tables(root, rows)


def other_people(root, rng, count=40):
    """Tables of photos of other people, without identities."""
    rows = [(f"{k:03d}.jpg", None, face(person(rng), rng), 10_000 + k) for k in range(count)]
    return tables(root, rows, source="reference")


@pytest.mark.parametrize(("seed", "alike"), [(0, 0.0), (1, 0.7), (2, 0.7)])
def test_wrong_photos_of_six_identities_are_removed_and_right_ones_kept(tmp_path, seed, alike):
    photos, faces, embeddings = few_identities(str(tmp_path), np.random.default_rng(seed), alike=alike)
    noise = find_noise(str(tmp_path), faces, [embeddings])
    labels = label(str(tmp_path), photos, noise, undecided="keep", min_faces=2)
    rows = labels.labels.read(["key", "identity"]).to_pylist()
    assert len(rows) == labels.account.kept + sum(labels.account.removed.values()) == 108
    kept = [row["key"] for row in rows if row["identity"] is not None]
    assert sum("right" in key for key in kept) >= 70  # of 72
    assert sum("wrong" in key for key in kept) <= 2  # of 36


def test_references_are_calibrated_on_and_are_in_no_other_table(tmp_path):
    rng, root = np.random.default_rng(5), str(tmp_path)
    _, faces, embeddings = few_identities(root, rng, count=3)
    further = other_people(root, rng)[2]
    alone, helped = (find_noise(root, faces, [embeddings], references=r) for r in ((), [[further]]))
    alone_basis, basis = (read_calibration(root, n.calibration.shards[0]).basis for n in (alone, helped))
    assert (alone_basis.identities, alone_basis.references) == (3, 0)
    assert (basis.identities, basis.references) == (3, 40)  # a face without an identity is one of its own
    assert basis.faces == alone_basis.faces + 40
    assert basis.assumed < alone_basis.assumed
    assert helped.calibration.address != alone.calibration.address
    others = set(further.read(["face_id"])["face_id"].to_pylist())
    for table in (helped.copies, helped.clusters):
        assert len(table) == len(faces)
        assert not others & set(table.read(["face_id"])["face_id"].to_pylist())
    assert not others & set(helped.persons.read(["medoid"])["medoid"].to_pylist())


def test_the_calibration_does_not_depend_on_the_order_of_reference_sets(tmp_path):
    rng, root = np.random.default_rng(6), str(tmp_path)
    _, faces, embeddings = few_identities(root, rng, count=3)
    one, two = other_people(f"{root}", rng, 20)[2], tables(root, [("x.jpg", "x", face(person(rng), rng), 1)])[2]
    calibrations = [
        find_noise(root, faces, [embeddings], references=r).calibration.shards[0].digest
        for r in ([[one], [two]], [[two], [one]])
    ]
    assert calibrations[0] == calibrations[1]


def beside_persons(root, rng, people, *, count):
    """Tables of `count` faces beside persons, each without an identity; people [n, d]: whom they show."""
    rows = [(f"{k:03d}.jpg", None, face(people[k % len(people)], rng), 20_000 + k) for k in range(count)]
    return tables(root, rows, source="beside")[2]


def test_many_faces_beside_persons_that_show_few_people_keep_the_right_photos(tmp_path):
    """As many as make the identities seem many: their pairs are of one person, not of impostors."""
    rng, root = np.random.default_rng(8), str(tmp_path)
    photos, faces, embeddings = few_identities(root, rng, count=12, photos=8, wrong=2)
    beside = beside_persons(root, rng, np.array([person(rng) for _ in range(4)]), count=100)
    noise = find_noise(root, faces, [embeddings], companions=[[beside]])
    calibration = read_calibration(root, noise.calibration.shards[0])
    assert (calibration.basis.identities, calibration.basis.references) == (12, 100)
    assert calibration.fused_curve.c < 0.1
    kept = label(root, photos, noise, undecided="keep", min_faces=2).labels.read(["key", "identity"])
    right = [key for key, identity in zip(*kept.to_pydict().values(), strict=True) if identity is not None]
    assert sum("right" in key for key in right) >= 70  # of 72


def test_faces_beside_persons_do_not_calibrate_where_there_are_enough_references(tmp_path):
    rng, root = np.random.default_rng(9), str(tmp_path)
    _, faces, embeddings = few_identities(root, rng, count=3)
    beside = beside_persons(root, rng, np.array([person(rng)]), count=30)
    enough = other_people(root, rng, count=98)[2]
    with_them, without = (
        find_noise(root, faces, [embeddings], references=[[enough]], companions=c) for c in ([[beside]], [])
    )
    assert with_them.calibration.shards[0].digest == without.calibration.shards[0].digest


@pytest.mark.parametrize("with_face", [0, 3])
def test_of_many_identities_only_few_have_a_face(tmp_path, with_face):
    rng, root = np.random.default_rng(10), str(tmp_path)
    rows = [(f"n{i:03}/1.jpg", f"n{i:03}", face(person(rng), rng) if i < with_face else None, i) for i in range(120)]
    _, faces, embeddings = tables(root, rows)
    noise = find_noise(root, faces, [embeddings])
    assert read_calibration(root, noise.calibration.shards[0]).basis.identities == with_face
