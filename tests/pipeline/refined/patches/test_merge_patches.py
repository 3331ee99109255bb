"""Two patches become one: what only one states counts, different fates are disputed, names are those of the first."""

from pathlib import Path

import pyarrow as pa

from pipeline.refined.patches.merge_patches import MergedPatch, merge_patches
from pipeline.refined.patches.patch_file import DISPUTED, Patch, read_patch
from tests.builders.tables.patch_rows import patch_file, photo

Row = dict[str, object]


def merged(folder: Path, one: list[Row], two: list[Row]) -> tuple[MergedPatch, dict[str, tuple[str | None, str]]]:
    """What came of two patches, and the identity and reason of each photo by key."""
    patches: list[Patch] = [patch_file(folder / f"{i}.patch", *rows) for i, rows in enumerate((one, two))]
    result = merge_patches(*patches, folder / "merged.patch")
    rows = pa.concat_tables(read_patch(folder / "merged.patch").batches()).to_pylist()
    return result, {row["key"]: (row["after"], row["reason"]) for row in rows}


def renamed(rows: list[Row], names: dict[str, str]) -> list[Row]:
    """The rows in another copy: with other keys, other names of identities, and the same bytes."""
    return [
        row | {"key": f"other/{row['key']}", **{c: names.get(str(row[c]), row[c]) for c in ("before", "after")}}
        for row in rows
    ]


def test_patches_of_equal_copies_agree_whatever_their_names(tmp_path: Path) -> None:
    rows = [
        photo("a/1", "a", sha=1),
        photo("a/2", "a", None, "outlier", sha=2),
        photo("a/3", "a", "b", "misplaced", sha=3),
        photo("a/4", "a", "a~x", "split", sha=4),
        photo("b/1", "b", sha=5),
        photo("c/1", "c", "b", "merge", sha=6),
    ]
    # the other copy calls the merged person after the other identity, and the second person after another face
    names = {"a": "A", "b": "B", "c": "C", "a~x": "A~y"}
    two = renamed(rows, names)
    two[2] |= {"after": "C"}
    two[4] |= {"after": "C", "reason": "merge"}
    two[5] |= {"after": "C", "reason": ""}
    result, fates = merged(tmp_path, rows, two)
    assert result.conflicts == []
    assert result.by_way["bytes"] == 6
    assert fates == {row["key"]: (row["after"], row["reason"]) for row in rows}


def test_what_only_one_states_counts_and_different_fates_are_disputed(tmp_path: Path) -> None:
    one = [
        photo("a/1", "a", sha=1),
        photo("a/2", "a", None, "duplicate", sha=2),
        photo("a/3", "a", None, "no_face", sha=3),
        photo("a/4", "a", sha=4),
        photo("a/5", "a", None, "outlier", sha=5),
        photo("a/6", "a", "b", "misplaced", sha=6),
        photo("b/1", "b", sha=7),
        photo("c/1", "c", sha=8),
        photo("b/2", "b", None, "overlap", sha=9),
    ]
    two = renamed(one, {name: name.upper() for name in "abc"})
    two[1] |= {"after": "A", "reason": ""}
    two[2] |= {"reason": "unreadable"}
    two[3] |= {"after": None, "reason": "mixed"}
    two[4] |= {"reason": "too_few"}
    two[5] |= {"after": "C"}
    two[8] |= {"reason": "mixed"}
    result, fates = merged(tmp_path, one, [*two, photo("new/1", "A", None, "outlier", sha=20)])
    assert fates == {
        "a/1": ("a", ""),
        "a/2": ("a", ""),
        "a/3": (None, "no_face"),
        "a/4": (None, DISPUTED),
        "a/5": (None, "outlier"),
        "a/6": (None, DISPUTED),
        "b/1": ("b", ""),
        "c/1": ("c", ""),
        "b/2": (None, DISPUTED),
        "new/1": (None, "outlier"),
    }
    assert [tuple(c) for c in result.conflicts] == [
        ("a/4", "a", "shows a", "does not show a"),
        ("a/6", "a", "shows b", "shows c"),
        ("b/2", "b", "in a test set", "does not show b"),
    ]
    new = pa.concat_tables(read_patch(tmp_path / "merged.patch").batches()).to_pylist()[-1]
    assert new["before"] == "a", "the identity has the name of the first patch"
    again = merge_patches(read_patch(tmp_path / "merged.patch"), read_patch(tmp_path / "0.patch"), tmp_path / "c")
    assert again.conflicts == [], "what is disputed stays so, and is not listed twice"
    rows = pa.concat_tables(read_patch(tmp_path / "c").batches()).to_pylist()
    assert {row["key"]: (row["after"], row["reason"]) for row in rows} == fates


def test_a_photo_under_two_claimed_identities_keeps_what_the_first_states(tmp_path: Path) -> None:
    one = [photo(f"a/{i}", "a", sha=i) for i in range(1, 5)] + [photo("b/1", "b", sha=9)]
    two = [*one[:3], photo("b/9", "b", sha=4), photo("b/2", "b", None, "outlier", sha=9)]
    result, fates = merged(tmp_path, one, two)
    assert result.claimed_otherwise == 1
    assert fates["a/4"] == ("a", "")
    assert [c.key for c in result.conflicts] == ["b/1"]


def test_a_key_with_another_picture_is_another_photo(tmp_path: Path) -> None:
    one, two = [photo("a/1", "a", sha=1, hash=5)], [photo("a/1", "a", None, "outlier", sha=2, hash=~5 % (1 << 64))]
    result, fates = merged(tmp_path, one, two)
    assert (result.other_picture, result.header.photos, result.conflicts) == (1, 2, [])
    assert len(fates) == 1
