"""Lists of pairs with other names, forms and spellings than the usual ones: measured by that list, or refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.test_sets import photo_sets
from pipeline.sources.test_sets.pair_lists import find_pair_list
from tests.builders.photos.photo_files import write_photos

PEOPLE = ("Anna Bell", "Carl Dorn", "Edda Falk")
GENUINE = [(name, 1, name, 2) for name in PEOPLE]
IMPOSTOR = [(name, 1, PEOPLE[i - 1], 2) for i, name in enumerate(PEOPLE)]


def lfw_rows(separator: str, *, names: Callable[[str], str] = str) -> list[str]:
    genuine = [separator.join((names(a), str(n), str(m))) for a, n, _, m in GENUINE]
    return genuine + [separator.join((names(a), str(n), names(b), str(m))) for a, n, b, m in IMPOSTOR]


def underscored(name: str) -> str:
    return name.replace(" ", "_")


def photos(folder: Path, *, names: Callable[[str], str] = str) -> Path:
    return write_photos(folder, *(f"{names(p)}/{names(p)}_000{k}.jpg" for p in PEOPLE for k in (1, 2)))


def keys(names: Callable[[str], str] = str) -> list[tuple[str, str, bool]]:
    return [
        (f"{names(a)}/{names(a)}_000{n}.jpg", f"{names(b)}/{names(b)}_000{m}.jpg", a == b)
        for a, n, b, m in GENUINE + IMPOSTOR
    ]


def read_pairs(path: Path) -> list[tuple[str, str, bool]]:
    return [(p.a, p.b, p.same) for p in photo_sets.pairs(path)]


@pytest.mark.parametrize("separator", ["\t", " "])
@pytest.mark.parametrize(("encoding", "line_end"), [("utf-8-sig", "\r\n"), ("utf-16", "\r")])
def test_names_with_blanks_in_a_pairs_txt(tmp_path: Path, separator: str, encoding: str, line_end: str) -> None:
    photos(tmp_path)
    text = line_end.join([separator.join(("1", "3")), *lfw_rows(separator)])
    (tmp_path / "pairs.txt").write_bytes(text.encode(encoding))
    assert read_pairs(tmp_path) == keys()


def test_all_lists_of_rfw_are_one_test_set_whose_people_lie_below_their_group(tmp_path: Path) -> None:
    for group in ("African", "Asian"):
        write_photos(tmp_path / "data" / group, *(f"m.{p}/m.{p}_000{k}.jpg" for p in (1, 2) for k in (1, 2)))
        (tmp_path / "txts" / group).mkdir(parents=True)
        (tmp_path / f"txts/{group}/{group}_pairs.txt").write_text("m.1\t1\t2\nm.1\t2\tm.2\t1\n")
    pairs = photo_sets.pairs(tmp_path)
    assert [(p.a, p.same) for p in pairs] == [
        (f"{group}/m.1/m.1_000{k}.jpg", k == 1) for group in ("African", "Asian") for k in (1, 2)
    ]
    photos = [photo for part in photo_sets.parts(tmp_path) for photo in photo_sets.index(part)]
    assert {p.identity for p in photos} == {f"{g}/m.{p}" for g in ("African", "Asian") for p in (1, 2)}
    assert photo_sets.read(tmp_path, next(p for p in photos if p.key == pairs[0].a))


def test_bfw_names_its_columns(tmp_path: Path) -> None:
    write_photos(tmp_path, *(f"asian_females/n{p}/{k}.jpg" for p in (1, 2) for k in (1, 2)))
    file = tmp_path / "bfw-v0.1.5-datatable.csv"
    first, mate, other = "asian_females/n1/1.jpg", "asian_females/n1/2.jpg", "asian_females/n2/2.jpg"
    rows = [f"1,{first},{mate},1,0,0.9", f"3,{first},{other},0,0,0.1"]
    file.write_text("\n".join(["fold,p1,p2,label,id1,vgg16", *rows]) + "\n")
    for path in (file, tmp_path):
        got = [(p.a, p.b, p.same, p.fold) for p in photo_sets.pairs(path)]
        assert got == [(first, mate, True, 1), (first, other, False, 3)]
    for row, message in (("x,a.jpg,b.jpg,1", "the fold is 'x'"), ("1,a.jpg,b.jpg,7", "line 2: expected rows of p1")):
        file.write_text(f"fold,p1,p2,label\n{row}\n")
        with pytest.raises(UserError, match=message):
            photo_sets.pairs(file)


def test_the_lists_of_rfw_lie_in_another_folder_than_its_photos(tmp_path: Path) -> None:
    photos(tmp_path / "data/African")
    photos(tmp_path / "data/Asian")
    (tmp_path / "txts/African").mkdir(parents=True)
    (tmp_path / "txts/African/African_people.txt").write_text("\n".join(f"{name}\t3" for name in PEOPLE))
    (tmp_path / "txts/African/African_pairs.txt").write_text("\n".join(lfw_rows("\t")))
    for path in (tmp_path / "txts/African", tmp_path / "txts/African/African_pairs.txt"):
        assert read_pairs(path) == keys()
        assert {fold for *_, fold, _ in photo_sets.pairs(path)} == {0, 3, 6}  # 3 of each kind in 10 runs
        indexed = [photo for part in photo_sets.parts(path) for photo in photo_sets.index(part)]
        assert {photo.key for photo in indexed} == {photo for pair in keys() for photo in pair[:2]}
        (first, *_) = indexed
        file = tmp_path / "data/African" / first.key
        assert photo_sets.read(path, first) == file.read_bytes()
    (tmp_path / "txts/African/African_pairs.txt").rename(tmp_path / "data/African/list.txt")
    assert read_pairs(tmp_path / "data/African") == keys()


@pytest.mark.parametrize(("listed", "there"), [(underscored, str), (str, underscored)])
def test_blanks_and_underscores_are_one(
    tmp_path: Path, listed: Callable[[str], str], there: Callable[[str], str]
) -> None:
    photos(tmp_path, names=there)
    (tmp_path / "pairs.txt").write_text("\n".join(["1\t3", *lfw_rows("\t", names=listed)]))
    assert read_pairs(tmp_path) == keys(there)


def test_letters_that_a_file_system_took_apart(tmp_path: Path) -> None:
    write_photos(tmp_path, *(f"Zoe\u0308/Zoe\u0308_000{k}.jpg" for k in (1, 2)), "Bo/Bo_0001.jpg")
    (tmp_path / "pairs.txt").write_text("1\t1\nZo\u00eb\t1\t2\nZo\u00eb\t1\tBo\t1\n")
    assert [p.same for p in photo_sets.pairs(tmp_path)] == [True, False]


def test_the_csv_of_kaggle_is_measured_though_other_lists_lie_beside_it(tmp_path: Path) -> None:
    photos(tmp_path / "lfw-deepfunneled/lfw-deepfunneled", names=underscored)
    rows = lfw_rows(",", names=underscored)
    (tmp_path / "pairs.csv").write_text("\n".join(["name,imagenum1,imagenum2,", *[f"{row}," for row in rows]]))
    (tmp_path / "matchpairsDevTest.csv").write_text("name,imagenum1,imagenum2\nAnna_Bell,1,2\n")
    assert read_pairs(tmp_path) == read_pairs(tmp_path / "pairs.csv") == keys(underscored)
    assert sorted(p.fold for p in photo_sets.pairs(tmp_path)) == [0, 0, 3, 3, 6, 6]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("pairsDevTest.txt", ["3", *lfw_rows("\t")]),
        ("my_list.csv", ["a,b,label", *(f"{a},{b},{int(same)}" for a, b, same in keys())]),
        ("verification.lst", [f"{a}\t{b}\t{int(same)}" for a, b, same in keys()]),
        ("verification.txt", [f"{a} {b} {int(same)}" for a, b, same in keys()]),
        ("absolute_pair.txt", [f"/home/me/{a} /home/me/{b} {int(same)}" for a, b, same in keys()]),
        ("lfw_test_pair.txt", [f".\\{a} {b} {int(same)}".replace("/", "\\") for a, b, same in keys()]),
    ],
)
def test_a_list_with_another_name_is_the_one_that_counts(tmp_path: Path, name: str, lines: list[str]) -> None:
    photos(tmp_path)
    (tmp_path / name).write_text("\n".join(lines))
    (tmp_path / "people.txt").write_text("Anna Bell 2\nCarl Dorn 2\n")
    (tmp_path / "boxes.lst").write_text("1\tAnna Bell/Anna Bell_0001.jpg\t0\n")
    assert read_pairs(tmp_path) == keys()


def test_several_lists_are_refused_and_lists_of_other_things_are_no_pairs(tmp_path: Path) -> None:
    photos(tmp_path)
    for name in ("pairsDevTest.txt", "pairsDevTrain.txt"):
        (tmp_path / name).write_text("\n".join(["3", *lfw_rows("\t")]))
    with pytest.raises(UserError, match=r"2 lists of pairs: give one of pairsDevTest.txt, pairsDevTrain.txt"):
        photo_sets.pairs(tmp_path)
    other = photos(tmp_path / "other")
    (other / "ages.csv").write_text("photo,age,sex\n1.jpg,30,1\n2.jpg,20,0\n")
    (other / "list.txt").write_text("Anna Bell/Anna Bell_0001.jpg 0\n")
    (other / "data.txt").write_bytes(b"\0\1\2")
    assert find_pair_list(other) is None
    (other / "mypairs.txt").write_text("no pair at all\n")
    with pytest.raises(UserError, match=r"mypairs\.txt line 1: expected two photos"):
        find_pair_list(other)


def test_missing_photos_are_counted_with_examples(tmp_path: Path) -> None:
    photos(tmp_path)
    for k in (1, 2):
        (tmp_path / f"Carl Dorn/Carl Dorn_000{k}.jpg").unlink()
    (tmp_path / "pairs.txt").write_text("\n".join(["1\t3", *lfw_rows("\t")]))
    with pytest.raises(
        UserError, match=r"Carl Dorn_0001, which is not there, nor are 1 others: 'Carl Dorn/Carl Dorn_0002'"
    ):
        photo_sets.pairs(tmp_path)
