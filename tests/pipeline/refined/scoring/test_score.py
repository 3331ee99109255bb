"""The score of a refinement equals counts by hand and a slow reference; wrong input raises an error."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.errors import UserError
from pipeline.refined.scoring.known_truth import Truth, read_truth
from pipeline.refined.scoring.score import score
from pipeline.refined.scoring.scored_photos import NOT_NOISE

# a's photos 0-3 are right, 4 shows b, 5 shows x, who has no name; b's photos 6-8 are right; 9 is not a picture
CLAIMED = "aaaaaabbba"
PERSON = ["a", "a", "a", "a", "b", "x", "b", "b", "b", ""]
KIND = ["clean"] * 4 + ["flip", "outlier"] + ["clean"] * 3 + ["junk"]
TRUTH = Truth(list(CLAIMED), PERSON, KIND, np.full(10, -1), keys=[str(i) for i in range(10)])


def labels(identities: str, reasons: dict[int, str] | None = None) -> pa.Table:
    """One row for each photo, "-" for one that was removed."""
    rows = [
        {"key": str(i), "identity": None if c == "-" else c, "reason": (reasons or {}).get(i, "outlier")}
        for i, c in enumerate(identities)
    ]
    return pa.Table.from_pylist(rows, schema=schema.LABELS)


@pytest.mark.parametrize(
    ("identities", "precision", "recall"),
    [
        ("aaaabbbbb-", 1, 0.5),  # the flip is relabelled rightly, and the outlier with it: flagged, but not stopped
        ("aaaab-bbb-", 1, 1),
        ("aaaaaabbb-", None, 0),
        ("aa--a-bbb-", 1 / 3, 0.5),  # two clean ones lost for the outlier
        ("xxxxy-yyya", 1, 1),  # what an identity is called afterwards does not matter
        ("aaax--bbb-", 2 / 3, 1),  # one clean photo taken from its identity
    ],
)
def test_wrong_labels_counted_by_hand(identities: str, precision: float | None, recall: float) -> None:
    result = score([labels(identities)], TRUTH).noise
    assert result == pytest.approx((precision, recall))
    expected = 2 * precision * recall / (precision + recall) if recall and precision else 0
    assert result.f1 == pytest.approx(expected)


def test_clean_photos_removed_for_other_reasons_do_not_count_as_lost() -> None:
    result = score([labels("a---b-bbb-", {1: "duplicate", 2: "too_few", 3: "overlap"})], TRUTH)
    assert result.noise == (1, 1)
    assert result.clean_lost == 0
    assert score([labels("a---b-bbb-")], TRUTH).clean_lost == 3


def test_whole_names_duplicates_and_the_test_set_counted_by_hand() -> None:
    """One person is claimed as p and q, r stands for two persons, t is in the test set, d is a duplicate of c."""
    keys, claimed, person = list("abcdefghij"), list("ppqqrrrrtt"), list("1111223344")
    kind = ["clean"] * 3 + ["duplicate"] + ["clean"] * 6
    original = np.array([-1, -1, -1, 2] + [-1] * 6)
    persons = {"p": ("1",), "q": ("1",), "r": ("2", "3"), "t": ("4",)}
    truth = Truth(claimed, person, kind, original, persons, frozenset("t"), keys)
    names = ["p", "p", "p", None, "r", "r", "r~2", "r~2", None, None]
    reasons = ["", "", "", "duplicate", "", "", "", "", "overlap", "overlap"]
    rows = [{"key": k, "identity": i, "reason": r} for k, i, r in zip(keys, names, reasons, strict=True)]
    result = score([pa.Table.from_pylist(rows, schema=schema.LABELS)], truth)
    assert (result.persons_under_two_identities, result.merged) == (1, 1)
    assert (result.claimed_identities_of_two_persons, result.split) == (1, 1)
    assert result.identities_of_two_persons == 0
    assert result.duplicates == result.overlap == (1, 1)
    unknown = score([pa.Table.from_pylist(rows, schema=schema.LABELS)], replace(truth, overlap=None))
    assert unknown.overlap == (None, None), "without overlap.tsv nothing is known of the test set"
    together = [{**row, "identity": row["identity"] and row["identity"][0]} for row in rows]
    result = score([pa.Table.from_pylist(together, schema=schema.LABELS)], truth)
    assert (result.split, result.identities_of_two_persons) == (0, 1)


def test_one_of_two_persons_under_a_name_who_is_in_the_test_set_is_found_and_split_off() -> None:
    """t stands for the test set's person 1, with two photos, and for person 2, with five."""
    keys, person = list("abcdefg"), list("1122222")
    truth = Truth(["t"] * 7, person, ["clean"] * 7, np.full(7, -1), {"t": ("1", "2")}, frozenset("t"), keys)

    def counted(kept: str, reason: str) -> tuple[int, float | None]:
        refined = [None if k == "-" else k for k in kept]
        table = pa.table({"key": keys, "identity": refined, "reason": ["" if k else reason for k in refined]})
        result = score([table], truth)
        return result.split, result.overlap.recall

    assert counted("--ttttt", "overlap") == (1, 1)
    assert counted("--ttttt", "outlier") == (0, 0)
    assert counted("-tttttt", "overlap") == (1, 1), "half of a person's photos"
    assert counted("tt-tttt", "overlap") == (0, 0), "one photo of five"
    assert counted("-------", "overlap") == (0, 1), "both persons were removed"


def reference(rows: list[dict[str, str | None]], truth: Truth) -> tuple[float, float, float, int]:
    """Precision, recall, noise after and clean photos lost, photo by photo with dictionaries."""
    true = {k: (c, p, t) for k, c, p, t in zip(truth.keys, truth.claimed, truth.person, truth.kind, strict=True)}
    votes: dict[str, Counter[str]] = {}
    counts: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        claimed, person, kind = true[row["key"]]
        if row["identity"] and kind in ("clean", "duplicate"):
            votes.setdefault(row["identity"], Counter())[person] += 1
        if row["identity"] and kind == "clean":
            counts.setdefault((claimed, person), Counter())[row["identity"]] += 1
    owner = {i: c.most_common(1)[0][0] for i, c in votes.items()}
    main_identities: dict[str, set[str]] = {}
    for (claimed, _), count in counts.items():
        main_identities.setdefault(claimed, set()).add(count.most_common(1)[0][0])
    flagged, stopped, wrong, lost, kept_wrong, kept = [], 0, 0, 0, 0, 0
    for row in rows:
        claimed, person, kind = true[row["key"]]
        identity = row["identity"]
        right = identity is not None and owner.get(identity) == person
        noise = identity is None and row["reason"] not in NOT_NOISE
        moved = identity is not None and claimed in main_identities and identity not in main_identities[claimed]
        if kind in ("outlier", "flip", "clean") and (noise or moved):
            flagged.append(kind != "clean")
        wrong += kind in ("outlier", "flip")
        stopped += kind in ("outlier", "flip") and (identity is None or right)
        lost += kind == "clean" and noise
        kept += identity is not None
        kept_wrong += identity is not None and not right
    return sum(flagged) / len(flagged), stopped / wrong, kept_wrong / kept, lost


@pytest.mark.parametrize("seed", range(5))
def test_the_arrays_count_what_the_dictionaries_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 400
    claimed = [f"n{i}" for i in rng.integers(0, 20, n)]
    kind = rng.choice(["clean", "outlier", "flip", "duplicate", "junk"], n, p=[0.6, 0.15, 0.1, 0.1, 0.05]).tolist()
    person = [
        c if k in ("clean", "duplicate") else f"n{rng.integers(0, 30)}" for c, k in zip(claimed, kind, strict=True)
    ]
    keys = [f"{i}.jpg" for i in range(n)]
    truth = Truth(claimed, person, kind, np.full(n, -1), keys=keys)
    identities = [
        None if rng.random() < 0.3 else p if rng.random() < 0.8 else f"n{rng.integers(0, 20)}" for p in person
    ]
    reasons = rng.choice(["outlier", "duplicate", "too_few", "misplaced"], n).tolist()
    rows = [{"key": k, "identity": i, "reason": r} for k, i, r in zip(keys, identities, reasons, strict=True)]
    order = rng.permutation(n)
    result = score([pa.Table.from_pylist([rows[i] for i in order], schema=schema.LABELS)], truth)
    precision, recall, noise_after, lost = reference(rows, truth)
    assert (*result.noise, result.noise_after) == pytest.approx((precision, recall, noise_after))
    assert result.clean_lost == lost


def test_labels_of_other_photos_are_refused() -> None:
    with pytest.raises(UserError, match="1 without a label, 0 not in the truth"):
        score([labels("aaaabbbbb-").slice(1)], TRUTH)
    with pytest.raises(UserError, match="0 without a label, 1 not in the truth"):
        score([labels("aaaabbbbb-a")], TRUTH)
    with pytest.raises(UserError, match="1 with two labels"):
        score([labels("aaaabbbbb-"), labels("a")], TRUTH)
    with pytest.raises(UserError, match="9 labels for 10 photos"):
        score([labels("aaaabbbbb")], replace(TRUTH, keys=()))


def write(folder: Path, text: str) -> Path:
    (folder / "truth.tsv").write_text(text)
    return folder


def test_a_truth_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    head = "path\tclaimed\tperson\tkind\tof\n"
    truth = read_truth(write(tmp_path, head + "a\tn\tp\tclean\t\nb\tn\tp\tduplicate\ta\n"))
    assert truth.original.tolist() == [-1, 0]
    assert truth.persons == {}
    for text, words in (
        (head + "a\tn\tp\tfine\t\n", "calls a 'fine': a kind is one of clean"),
        (head + "a\tn\tp\tclean\t\n" * 2, "lists a twice"),
        ("path\tclaimed\na\tn\n", "line 2: expected the tab-separated columns path"),
    ):
        with pytest.raises(UserError, match=words):
            read_truth(write(tmp_path, text))
    with pytest.raises(UserError, match=r"a truth is a folder with truth\.tsv"):
        read_truth(tmp_path / "missing")
