"""The maker of a data set of few identities: its files are those of its truth, and the truth stays true."""

from collections import Counter
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.sample.cases.few_identities import plant_few_identities

NAMES = [f"n{i}" for i in range(6)]


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Six identities of four photos: two clean, a duplicate of the first, and one of the next identity's person."""
    folder = tmp_path / "whole"
    rows = []
    for i, name in enumerate(NAMES):
        rows += [(f"{name}/{k}.jpg", name, f"P{i}", "clean", "") for k in (1, 2)]
        rows.append((f"{name}/3.jpg", name, f"P{i}", "duplicate", f"{name}/1.jpg"))
        rows.append((f"{name}/4.jpg", name, f"P{(i + 1) % 6}", "flip", ""))
    for path, *_ in rows:
        (folder / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / path).write_text(path)
    table = [("path", "claimed", "person", "kind", "of"), *rows]
    (folder / "truth.tsv").write_text("".join("\t".join(row) + "\n" for row in table))
    identities = "".join(f"{name}\tP{i}\n" for i, name in enumerate(NAMES))
    (folder / "identities.tsv").write_text("claimed\tpersons\n" + identities)
    (folder / "overlap.tsv").write_text("claimed\nn0\nn1\nn2\n")
    return folder


@pytest.mark.parametrize("names_each", [1, 2])
def test_the_photos_of_some_identities_are_copied_with_their_truth(
    data_set: Path, tmp_path: Path, names_each: int
) -> None:
    account = plant_few_identities(data_set, tmp_path / "out", identities=3, names_each=names_each, seed=1)
    truth = read_truth(tmp_path / "out")
    assert account == (3 * names_each, 3, 12)
    files = {str(p.relative_to(tmp_path / "out/photos")) for p in (tmp_path / "out/photos").rglob("*.jpg")}
    assert files == set(truth.keys)
    assert {key.split("/")[0] for key in files} == set(truth.claimed) == set(truth.persons)
    content = {key: (tmp_path / "out/photos" / key).read_text() for key in files}
    assert all(content[key].split("/")[0] == key.split("/")[0].partition("~")[0] for key in files)
    assert truth.overlap is not None
    assert {name.partition("~")[0] for name in truth.overlap} <= {"n0", "n1", "n2"}
    persons = {p for of in truth.persons.values() for p in of}
    for key, claimed, person, kind, original in zip(
        truth.keys, truth.claimed, truth.person, truth.kind, truth.original.tolist(), strict=True
    ):
        if content[key].endswith("4.jpg"):  # of the next person: a flip only where that person has an identity
            assert kind == ("flip" if person in persons else "outlier")
        if kind == "duplicate":
            assert truth.claimed[original] == claimed
        if kind == "clean":
            assert truth.persons[claimed] == (person,)
    assert max(Counter(truth.claimed).values()) <= 4 - (names_each - 1)


def test_the_same_seed_gives_the_same_set_and_mistakes_are_told(data_set: Path, tmp_path: Path) -> None:
    one, two = (plant_few_identities(data_set, tmp_path / name, identities=2, seed=4) for name in ("a", "b"))
    assert one == two
    assert (tmp_path / "a/truth.tsv").read_bytes() == (tmp_path / "b/truth.tsv").read_bytes()
    with pytest.raises(UserError, match="exists"):
        plant_few_identities(data_set, tmp_path / "a", identities=2)
    with pytest.raises(UserError, match="give 1 to 6"):
        plant_few_identities(data_set, tmp_path / "c", identities=7)
    with pytest.raises(UserError, match="give a folder with photos"):
        plant_few_identities(tmp_path / "none", tmp_path / "c", identities=1)
