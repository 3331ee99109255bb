"""Refinements of noisy_lfw, whose truth is known: scored, and reviewed by annotators who err."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.benchmark.overlap import overlap
from flows.benchmark.review import review
from flows.refine.labels import labels
from flows.refine.score import score
from tests.builders.small_world import World

pytestmark = pytest.mark.material


def outside_score(material: Path, labels: Path, data: Path) -> dict:
    """What the scorer beside the material says of a refinement of noisy_lfw, or of a part of it."""
    tool = material.parent / "tools/score_refinement.py"
    if not tool.exists():
        pytest.skip(f"{tool} is not there")
    command = [sys.executable, tool, data, labels, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


WHOLE = "REFINERY_EVERYTHING" in os.environ


def part_of(material: Path, folder: Path, every: int) -> Path:
    """A part of noisy_lfw with its truth: every identity whose place is a multiple of `every`."""
    if every == 1:
        return material / "noisy_lfw"
    with open(material / "noisy_lfw/truth.tsv", newline="") as stream:
        names = set(sorted({r["claimed"] for r in csv.DictReader(stream, delimiter="\t")})[::every])
    folder.mkdir()
    for table in ("truth", "identities", "overlap"):
        with open(material / f"noisy_lfw/{table}.tsv", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="\t")
            rows = [r for r in reader if r["claimed"] in names]
        with open(folder / f"{table}.tsv", "w", newline="") as stream:
            writer = csv.DictWriter(stream, reader.fieldnames or [], delimiter="\t")
            writer.writeheader()
            writer.writerows(rows)
    for name in names:
        shutil.copytree(material / "noisy_lfw/photos" / name, folder / "photos" / name)
    return folder


@pytest.fixture(scope="module")
def noisy_lfw(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sixth of the identities of noisy_lfw; all if REFINERY_EVERYTHING is set, as for the figures in the README."""
    return part_of(material, tmp_path_factory.mktemp("noisy_lfw") / "sixth", 1 if WHOLE else 6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("detector", "second"),
    [
        pytest.param("yunet_n_320_320", True, id="yunet"),
        pytest.param("yunet_n_320_320", False, id="yunet-one-embedder"),
        pytest.param(
            "scrfd_500m", True, id="scrfd", marks=pytest.mark.skipif(not WHOLE, reason="REFINERY_EVERYTHING is not set")
        ),
    ],
)
def test_noisy_lfw_against_known_truth(
    material: Path,
    noisy_lfw: Path,
    models: dict,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    detector: str,
    second: bool,
) -> None:
    root = tmp_path_factory.getbasetemp() / f"noisy-{detector}"
    options = {**models, "detector": str(material / f"models/{detector}.onnx")}
    if not second:
        del options["second_embedder"]
    World(noisy_lfw / "photos", [], options).refine(root, test_set=[str(material / "noisy_lfw/test")])
    result = score(str(root), noisy_lfw)
    refined_score = result.score
    print(detector, "two embedders" if second else "one embedder", *result.rows(), sep="\n")  # noqa: T201
    assert refined_score.photos == 4715 if WHOLE else refined_score.photos > 750
    assert refined_score.junk_kept == 0
    assert refined_score.noise.f1 >= (0.98 if second else 0.97)
    assert refined_score.clean_lost <= 0.015 * refined_score.clean
    if second:
        assert refined_score.merged >= 0.9 * refined_score.persons_under_two_identities > 0
        assert refined_score.identities_of_two_persons == 0
        assert refined_score.split >= 0.6 * refined_score.claimed_identities_of_two_persons > 0
        assert min(refined_score.duplicates) >= 0.95
        assert refined_score.overlap.precision >= 0.97
        assert refined_score.overlap.recall >= (0.94 if WHOLE else 0.92)  # one name missed, of 33
    labels(str(root), tmp_path / "out.tsv")
    outside = outside_score(material, tmp_path / "out.tsv", noisy_lfw)
    assert outside["noise"] == pytest.approx(refined_score.noise._asdict() | {"f1": refined_score.noise.f1}, abs=1e-4)
    assert outside["noise_after"] == pytest.approx(refined_score.noise_after, abs=1e-4)
    assert outside["clean_lost"] == pytest.approx(refined_score.clean_lost / refined_score.clean, abs=1e-4)
    assert outside["duplicates"] == pytest.approx(refined_score.duplicates._asdict(), abs=1e-4)
    assert outside["overlap"] == pytest.approx(refined_score.overlap._asdict(), abs=1e-4)
    assert outside["one_person_two_names"]["joined"] == refined_score.merged
    assert outside["two_persons_one_name"]["parted"] == refined_score.split
    if not second:
        single = overlap(str(root), noisy_lfw, repeats=5)  # test sets of a single photo of each person
        assert single.precision >= 0.95
        assert 1 >= single.with_people >= single.recall >= 0.85


@pytest.mark.slow
def test_another_detector_does_as_well_on_a_part(material: Path, models: dict, tmp_path: Path) -> None:
    """One identity in twelve, faces detected by SCRFD."""
    part = part_of(material, tmp_path / "noisy_lfw", 12)
    options = {"detector": str(material / "models/scrfd_500m.onnx"), "embedder": models["embedder"]}
    World(part / "photos", [], options).refine(tmp_path / "root")
    refined_score = score(str(tmp_path / "root"), part).score
    assert refined_score.junk_kept == 0
    assert refined_score.noise.f1 >= 0.96
    assert refined_score.clean_lost <= 0.03 * refined_score.clean


@pytest.mark.slow
def test_a_third_of_the_questions_is_enough_in_the_queues_order(
    noisy_lfw: Path, models: dict, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Refined with the weaker embedder alone, so that enough questions are left; annotators err."""
    root = tmp_path_factory.getbasetemp() / "noisy-yunet_n_320_320"  # faces and vectors may be there already
    weaker = {"detector": models["detector"], "embedder": models["second_embedder"]}
    World(noisy_lfw / "photos", [], weaker).refine(root, lost_per_noise=0.02)  # people decide more, the machine less
    review_curves = review(str(root), noisy_lfw)
    print("\n".join(review_curves.lines()))  # noqa: T201
    for rate in ("5%", "10%"):
        ordered, drawn = (review_curves.curves[f"{order}, {rate} wrong"] for order in ("ordered", "random"))
        late = next(p for p in drawn if p["asked"] >= 0.85 * drawn[-1]["asked"])
        assert late["f1"] > drawn[0]["f1"]
        assert 3 * next(p["asked"] for p in ordered if p["f1"] >= late["f1"]) <= late["asked"]
        if late["noise"] < drawn[0]["noise"]:
            assert 3 * next(p["asked"] for p in ordered if p["noise"] <= late["noise"]) <= late["asked"]
