"""The rates by kind of noise are those of the score, and of counts by hand; clean photos lost by sort."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.refined.scoring.clean_lost import clean_lost, read_measures
from pipeline.refined.scoring.kinds_of_noise import NoiseKind, noise_kinds
from pipeline.refined.scoring.known_truth import Truth, read_truth
from pipeline.refined.scoring.score import in_order_of_truth, score_photos
from pipeline.refined.scoring.scored_photos import ScoredPhotos
from pipeline.refinement import Refinement, latest
from tests.builders.tables.drawn_refinement import drawn_root
from tests.builders.tables.known_truth import truth_of


@pytest.fixture(scope="module")
def refinement(tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    return latest(str(drawn_root(tmp_path_factory)))


def scored(labels: pa.Table, truth: Truth) -> tuple[ScoredPhotos, dict[str, NoiseKind]]:
    """Labels in the truth's order, coded, and their kinds of noise by name."""
    photos = ScoredPhotos(in_order_of_truth(labels, truth), truth)
    return photos, {kind.kind.strip(): kind for kind in noise_kinds(photos, truth)}


def value(kind: NoiseKind, rate: str) -> float | None:
    interval = getattr(kind.rates, rate)
    if interval is not None:
        assert interval.low <= interval.value <= interval.high
    return interval and interval.value


def test_the_rates_are_those_of_the_score(refinement: Refinement) -> None:
    truth = truth_of(refinement)
    photos, kinds = scored(refinement.labels.read(["key", "identity", "reason"]), truth)
    result = score_photos(photos, truth)
    assert (value(kinds["wrong labels"], "precision"), value(kinds["wrong labels"], "recall")) == result.noise
    assert value(kinds["wrong labels"], "f1") == pytest.approx(result.noise.f1)
    assert kinds["duplicates"].rates.recall is not None
    assert (value(kinds["duplicates"], "precision"), value(kinds["duplicates"], "recall")) == result.duplicates
    assert kinds["misnamed, relabelled rightly"].found == result.flips_relabelled
    assert kinds["two identities of a person, merged"].found == result.merged
    assert kinds["two identities of a person, merged"].planted == result.persons_under_two_identities
    assert kinds["identities of two persons, split"].found == result.split
    assert kinds["identities in the test set"].rates.recall is not None
    assert value(kinds["identities in the test set"], "recall") == result.overlap.recall
    assert kinds["outliers"].planted == result.planted["outlier"]
    assert noise_kinds(photos, truth) == list(kinds.values())


def test_a_seed_draws_its_own_identities() -> None:
    """Of a hundred identities, each with an outlier, thirty keep theirs."""
    names = [f"id{i}" for i in range(100)]
    truth = Truth(names * 2, names + ["x"] * 100, ["clean"] * 100 + ["outlier"] * 100, np.full(200, -1))
    refined = [*names, *names[:30], *[None] * 70]
    photos, kinds = scored(pa.table({"identity": refined, "reason": ["outlier"] * 200}), truth)
    recall = kinds["outliers"].rates.recall
    assert recall is not None
    # the share of a hundred coin tosses: 0.7 +- 1.96 * 0.046
    assert recall == pytest.approx((0.7, 0.61, 0.79), abs=0.021)
    assert noise_kinds(photos, truth) == list(kinds.values())
    assert noise_kinds(photos, truth, seed=1) != list(kinds.values())


def test_parts_merges_and_splits_counted_by_hand() -> None:
    """p and q are one person's, r stands for two persons, s for one; x and y are outliers of two kinds."""
    claimed = list("ppqqrrrrssssss")
    person = ["1", "1", "1", "1", "2", "2", "3", "3", "4", "4", "4", "4", "x", "y"]
    kind = ["clean"] * 12 + ["outlier"] * 2
    planted = [""] * 12 + ["lookalike", "companion"]
    persons = {"p": ("1",), "q": ("1",), "r": ("2", "3"), "s": ("4",)}
    truth = Truth(claimed, person, kind, np.full(14, -1), persons, planted=planted)
    refined = ["p", "p", "q", "q", "r", "r", "r~2", "r~2", "s", "s", "s~2", "s~2", None, "s"]
    labels = pa.table({"identity": refined, "reason": [""] * 12 + ["outlier", ""]})
    _, kinds = scored(labels, truth)
    assert (kinds["lookalike"].found, kinds["companion"].found) == (1, 0)
    assert value(kinds["outliers"], "recall") == 0.5
    assert value(kinds["outliers, removed or set apart"], "recall") == 0.5
    merged, split = kinds["two identities of a person, merged"], kinds["identities of two persons, split"]
    assert (merged.planted, merged.found, merged.rates.precision) == (1, 0, None)
    assert (split.planted, split.found, value(split, "precision")) == (1, 1, 0.5), "s was split, too"
    together = pa.table({"identity": ["p"] * 8 + ["s"] * 6, "reason": [""] * 14})
    merged = scored(together, truth)[1]["two identities of a person, merged"]
    # pq is right; pr and qr, with either person of r, are wrong
    assert (merged.found, value(merged, "precision")) == (1, 0.2)


def test_an_outlier_is_set_apart_under_an_identity_of_nobody_else() -> None:
    """Both photos of x are set apart, one of y, then both; whom two others show is not known."""
    kind = ["clean"] * 2 + ["outlier"] * 6
    truth = Truth(list("aaaaaaaa"), ["1", "1", "x", "x", "y", "y", "", ""], kind, np.full(8, -1))
    refined = ["a", "a", "a~x", "a~x", "a~y", "a", "a~0", None]
    photos, kinds = scored(pa.table({"identity": refined, "reason": [""] * 7 + ["outlier"]}), truth)
    assert (kinds["outliers"].found, kinds["outliers, removed or set apart"].found) == (1, 4)
    row = {"planted": "outlier, removed or set apart", "photos": 6, "found": 4, "share": "66.7%"}
    assert row in score_photos(photos, truth).rows()
    refined[5] = "a~y"
    _, kinds = scored(pa.table({"identity": refined, "reason": [""] * 7 + ["outlier"]}), truth)
    assert (kinds["outliers"].found, kinds["outliers, removed or set apart"].found) == (1, 5)


def test_clean_photos_lost_by_sort_are_all_of_them(refinement: Refinement) -> None:
    truth = truth_of(refinement)
    rows = refinement.labels.read(["key", "identity", "reason"]).to_pylist()
    for row in rows[::7]:
        row |= {"identity": None, "reason": "outlier"}
    photos, _ = scored(pa.Table.from_pylist(rows), truth)
    measures = read_measures(refinement, truth)
    sorts = clean_lost(photos, truth, measures)
    lost = score_photos(photos, truth).clean_lost
    assert lost > 40
    assert sum(s.lost for s in sorts if s.measure == "size of the face") == lost
    faces = refinement.faces.read(["face_id", "size_px"]).to_pylist()
    size = {row["face_id"]: row["size_px"] for row in faces}
    face_id = {row["key"]: row["face_id"] for row in refinement.photos.read(["face_id", "key"]).to_pylist()}
    measured = [None if np.isnan(v) else v for v in measures["size_px"].tolist()]
    assert measured == [size[face_id[key]] for key in truth.keys]


def test_bins_and_several_faces_by_hand() -> None:
    truth = Truth(list("aabb"), list("1122"), ["clean"] * 4, np.full(4, -1), planted=["", "", "", "group"])
    labels = pa.table({"identity": ["a", None, "b", None], "reason": ["", "outlier", "", "poor"]})
    measures = {
        "size_px": np.array([20, 40, 159, 160.0]),
        "sharpness": np.array([np.nan] * 4),
        "quality": np.array([0.2, 0.55, 0.95, np.nan]),
        "others": np.array([0, 0, 2, np.nan]),
    }
    sorts = clean_lost(ScoredPhotos(labels, truth), truth, measures)
    assert [(s.measure, s.photos, s.clean, s.lost) for s in sorts] == [
        ("size of the face", "under 40 px", 1, 0),
        ("size of the face", "40 to 80 px", 1, 1),
        ("size of the face", "80 to 160 px", 1, 0),
        ("size of the face", "160 px or more", 1, 1),
        ("quality", "under 0.55", 1, 0),
        ("quality", "0.55 to 0.75", 1, 1),
        ("quality", "0.9 or more", 1, 0),
        ("faces in the photo", "one", 2, 1),
        ("faces in the photo", "several", 1, 0),
        ("faces in the photo", "none found", 1, 1),
        ("planted", "group", 1, 1),
    ]


def test_a_truth_that_says_more_is_read(tmp_path: Path) -> None:
    (tmp_path / "truth.tsv").write_text("path\tclaimed\tperson\tkind\tof\tplanted\na\tA\tp\toutlier\t\tlookalike\n")
    assert read_truth(tmp_path).planted == ["lookalike"]
    (tmp_path / "truth.tsv").write_text("path\tclaimed\tperson\tkind\tof\na\tA\tp\toutlier\t\n")
    assert read_truth(tmp_path).planted == ()
