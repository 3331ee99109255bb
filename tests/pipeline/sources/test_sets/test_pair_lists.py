"""Test sets in the layouts in which they are distributed, with a few bytes in place of each photo."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.test_sets import photo_sets
from pipeline.sources.test_sets.photo_sets import Pair
from tests.builders.photos.photo_files import identity_of_key, write_photos


def calfw(folder: Path, *, name: str = "pairs_CALFW.txt", folds: bool = True) -> Path:
    people = [f"P{i}_A" for i in range(20)]
    write_photos(folder / "aligned images", *(f"{p}_000{k}.jpg" for p in people for k in (1, 2)))
    lines = []
    for i, person in enumerate(people):
        kind = i // 2 + 1 if folds else 1
        lines += [f"{person}_0001.jpg {kind}", f"{person}_0002.jpg {kind}"]
    for i, person in enumerate(people):
        lines += [f"{person}_0001.jpg 0", f"{people[i - 1]}_0002.jpg 0"]
    folder.joinpath(name).write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(("name", "folds"), [("pairs_CALFW.txt", True), ("pairs_CPLFW.txt", False)])
def test_lists_with_two_lines_for_a_pair(tmp_path, name, folds):
    folder = calfw(tmp_path / "set", name=name, folds=folds)
    pairs = photo_sets.pairs(folder)
    assert pairs == photo_sets.pairs(folder / name)
    assert len(pairs) == 40
    assert pairs[0] == Pair("P0_A_0001.jpg", "P0_A_0002.jpg", True, 0, "P0_A")
    assert pairs[21] == Pair("P1_A_0001.jpg", "P0_A_0002.jpg", False, 0, "P1_A")
    assert [p.fold for p in pairs] == [i // 2 for i in range(20)] * 2
    assert (
        identity_of_key(folder)
        == identity_of_key(folder / name)
        == {f"P{i}_A_000{k}.jpg": None for i in range(20) for k in (1, 2)}
    )


def cfp(folder: Path) -> Path:
    listed = {"frontal": [], "profile": []}
    for i in (1, 2, 3):
        for kind, photos in listed.items():
            photos += [f"{i:03}/{kind}/{k:02}.jpg" for k in (1, 2)]
    write_photos(folder / "Data/Images", *listed["frontal"], *listed["profile"])
    protocol = folder / "Protocol"
    for name, photos in (("F", listed["frontal"]), ("P", listed["profile"])):
        protocol.mkdir(exist_ok=True)
        lines = [f"{n} ../Data/Images/{photo}\n" for n, photo in enumerate(photos, start=1)]
        (protocol / f"Pair_list_{name}.txt").write_text("".join(lines))
    for split in ("FF", "FP"):
        for fold in ("01", "02"):
            (protocol / f"Split/{split}/{fold}").mkdir(parents=True)
            (protocol / f"Split/{split}/{fold}/same.txt").write_text("1,2\n3,4\n")
            (protocol / f"Split/{split}/{fold}/diff.txt").write_text("1,4\n5,2\n")
    return folder


def test_both_splits_of_cfp(tmp_path):
    folder = cfp(tmp_path / "cfp")
    split = folder / "Protocol/Split"
    profile, frontal = photo_sets.pairs(split / "FP"), photo_sets.pairs(split / "FF")
    assert profile[:3] == [
        Pair("001/frontal/01.jpg", "001/profile/02.jpg", True, 0, "001"),
        Pair("002/frontal/01.jpg", "002/profile/02.jpg", True, 0, "002"),
        Pair("001/frontal/01.jpg", "002/profile/02.jpg", False, 0, "001"),
    ]
    assert frontal[0] == Pair("001/frontal/01.jpg", "001/frontal/02.jpg", True, 0, "001")
    assert [p.fold for p in profile] == [0] * 4 + [1] * 4
    identities = identity_of_key(split / "FP")
    assert len(identities) == 12
    assert identities["002/profile/01.jpg"] == "002"
    with pytest.raises(UserError, match=r"holds two lists of pairs: give one of .*FF, .*FP"):
        photo_sets.parts(folder)


def test_lists_with_one_line_for_a_pair(tmp_path):
    write_photos(tmp_path / "agedb30_align_112", *(f"{i}.jpg" for i in range(40)))
    lines = [f"{2 * i}.jpg {2 * i + 1}.jpg {i % 2}\n" for i in range(20)]
    (tmp_path / "agedb_30_pair.txt").write_text("".join(lines))
    pairs = photo_sets.pairs(tmp_path)
    assert pairs == photo_sets.pairs(tmp_path / "agedb_30_pair.txt")
    assert pairs[:2] == [Pair("0.jpg", "1.jpg", False, 0), Pair("2.jpg", "3.jpg", True, 0)]
    assert [p.fold for p in pairs] == [i // 2 for i in range(20)]
    assert len(identity_of_key(tmp_path)) == 40


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg b.jpg 1\nb.jpg 0\n", "line 2: expected two photos and 1 or 0"),
        ("a.jpg b.jpg 1\na.jpg gone.jpg 0\n", "line 2 lists gone.jpg, which is not there"),
        ("", "lists no pairs"),
        ("zz.jpg b.jpg 1\n", "lists zz.jpg, which is not beside it"),
    ],
)
def test_a_malformed_list_is_a_user_error(tmp_path, text, message):
    write_photos(tmp_path / "photos", "a.jpg", "b.jpg")
    (tmp_path / "x_pair.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        photo_sets.pairs(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [("P0_A_0001.jpg", "expected a photo and a number"), ("P0_A_0001.jpg 0", "have different numbers")],
)
def test_malformed_lines_of_a_pair_are_a_user_error(tmp_path, line, message):
    folder = calfw(tmp_path / "set")
    file = folder / "pairs_CALFW.txt"
    file.write_text("\n".join([line, *file.read_text().splitlines()[1:]]))
    with pytest.raises(UserError, match=message):
        photo_sets.pairs(folder)


@pytest.mark.parametrize(("text", "message"), [("1,99\n", "expected two numbers"), ("x\n", "expected two numbers")])
def test_a_malformed_split_is_a_user_error(tmp_path, text, message):
    split = cfp(tmp_path / "cfp") / "Protocol/Split/FP"
    (split / "02/diff.txt").write_text(text)
    with pytest.raises(UserError, match=rf"02/diff\.txt line 1: {message}"):
        photo_sets.pairs(split)
    (split / "02/diff.txt").unlink()
    with pytest.raises(UserError, match=r"holds no diff\.txt"):
        photo_sets.pairs(split)
