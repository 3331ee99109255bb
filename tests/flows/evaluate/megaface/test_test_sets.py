"""MegaFace's layout in evaluate: figures of a model, of the development kit's embeddings, and of its result files."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.evaluate.flow import evaluate
from flows.refine.models import load_embedder
from pipeline.errors import UserError
from pipeline.sources.test_sets import megaface_devkit
from tests.builders.photos.drawn_test_sets import people_folders
from trainer.evaluation.identification import identify, replace_noisy_probes

DISTRACTORS = 30


def layout(folder: Path) -> tuple[Path, list[Path], list[Path]]:
    """Probes: eight people of four photos each; distractors: thirty other people under their photographers."""
    people_folders(folder / "probes", 8, 4)
    tree = folder / "MegaFace"
    probes, distractors = [], []
    for photo in sorted((folder / "probes").rglob("*.jpg")):
        place = tree / "facescrub" / photo.parent.name / photo.name
        place.parent.mkdir(parents=True, exist_ok=True)
        photo.rename(place)
        probes.append(place)
    rng = np.random.default_rng(5)
    for i in range(DISTRACTORS):
        place = tree / f"megaface/{i:03}/{i}@N00/{i}_0.jpg"
        place.parent.mkdir(parents=True)
        place.write_bytes(
            cv2.imencode(".jpg", rng.integers(0, 255, (2, 2, 3), np.uint8).repeat(56, 0).repeat(56, 1))[1]
        )
        distractors.append(place)
    distractors[3].write_bytes(probes[0].read_bytes())  # a distractor that shows a probe's person
    return tree, probes, distractors


def unit_embeddings(embedder: str, photos: list[Path]) -> np.ndarray:
    x = load_embedder(embedder)(np.stack([cv2.imread(str(p)) for p in photos])).astype(np.float16).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_the_figures_are_those_of_identify(tmp_path: Path, embedder: str) -> None:
    tree, probes, distractors = layout(tmp_path)
    groups = tmp_path / "groups.csv"
    groups.write_text("identity,group\n" + "".join(f"P{i:02},{'ab'[i % 2]}\n" for i in range(8)))
    evaluation = evaluate(
        embedder, [str(tree)], cache=str(tmp_path / "root"), aligned=True, draws=10, groups=str(groups)
    )
    person = np.array([int(p.parent.name[1:]) for p in probes])
    expected = identify(unit_embeddings(embedder, probes), person, [unit_embeddings(embedder, distractors)])
    figures = {f.figure: f for f in evaluation.figures}
    assert figures[f"rank-1 of {DISTRACTORS}"].value == pytest.approx(expected.rank(1, DISTRACTORS)[0], abs=0.02)
    assert 0 < figures[f"rank-1 of {DISTRACTORS}"].value < 1
    assert (evaluation.test_sets[0].pairs, evaluation.test_sets[0].missing) == (8 * 4 * 3, 0)
    first_hits = expected.hits[expected.sizes.index(DISTRACTORS), :, 0] / expected.trials  # of each person
    by_group = {f.group: f.value for f in evaluation.by_group.figures if f.figure == f"rank-1 of {DISTRACTORS}"}
    assert by_group == pytest.approx({"a": first_hits[::2].mean(), "b": first_hits[1::2].mean()}, abs=0.04)
    assert by_group["a"] != by_group["b"]


def test_lists_of_noise_give_the_refined_figures_too(tmp_path: Path, embedder: str) -> None:
    tree, probes, distractors = layout(tmp_path)
    bad = probes[5]
    (tree / "facescrub_noises.txt").write_text(f"# a head\n{bad.name}\n")
    near = "/".join(distractors[3].parts[-3:])
    (tree / "megaface_noises.txt").write_text(f"{near}\n")
    evaluation = evaluate(embedder, [str(tree)], cache=str(tmp_path / "root"), aligned=True, draws=0)
    person = np.array([int(p.parent.name[1:]) for p in probes])
    x = replace_noisy_probes(unit_embeddings(embedder, probes), person, np.arange(32) == 5)
    distractor_embeddings = unit_embeddings(embedder, distractors)
    distractor_embeddings[3] = 0
    expected = identify(x, person, [distractor_embeddings])
    values = {(f.test_set, f.figure): f.value for f in evaluation.figures}
    name = f"rank-1 of {DISTRACTORS}"
    assert values["MegaFace refined", name] == pytest.approx(expected.rank(1, DISTRACTORS)[0], abs=0.02)
    assert values["MegaFace", name] < values["MegaFace refined", name]


def test_vectors_go_to_the_kit_and_come_back(tmp_path: Path, embedder: str) -> None:
    tree, probes, _ = layout(tmp_path)
    out = tmp_path / "features"
    first = evaluate(embedder, [str(tree)], cache=str(tmp_path / "root"), aligned=True, draws=0, features=str(out))
    stored = out / "colour"
    data = (stored / f"facescrub/{probes[0].relative_to(tree)}_colour.bin").read_bytes()
    assert np.frombuffer(data[:16], "<i4").tolist() == [3, 1, 4, 5]
    lists = json.loads((stored / f"megaface_features_list.json_{DISTRACTORS}_1").read_text())
    assert len(lists["path"]) == DISTRACTORS
    again = evaluate(str(stored), [str(tree)], cache=str(tmp_path / "fresh"), draws=0)
    assert not (tmp_path / "fresh/faces").exists(), "vectors that are there need no faces"
    assert [f.value for f in again.figures] == [f.value for f in first.figures]
    assert [f.model for f in again.figures] == ["colour"] * len(first.figures)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.unlink(), "cannot read the embedding"),
        (lambda f: f.write_bytes(f.read_bytes()[:-2]), "cut short"),
        (
            lambda f: megaface_devkit.write_embedding(f, np.ones(5)),
            "an embedding of 5 numbers, the others 3: take all from the same model",
        ),
    ],
)
def test_vectors_that_do_not_fit_are_one_line(tmp_path: Path, embedder: str, change, message: str) -> None:
    tree, _, distractors = layout(tmp_path)
    out = tmp_path / "features"
    evaluate(embedder, [str(tree)], cache=str(tmp_path / "root"), aligned=True, draws=0, features=str(out))
    change(out / f"colour/megaface/{distractors[7].relative_to(tree)}_colour.bin")
    with pytest.raises(UserError, match=message):
        evaluate(str(out / "colour"), [str(tree)], cache=str(tmp_path / "root"), draws=0)


def test_results_of_the_kit_are_read(tmp_path: Path, embedder: str) -> None:
    file = tmp_path / "cmc_facescrub_megaface_r50_1000000_1.json"
    cmc, roc = [[0, 1, 9], [0.9, 0.92, 0.97]], [[0, 5e-7, 1e-6, 1e-3], [0.5, 0.8, 0.85, 0.99]]
    file.write_text(json.dumps({"cmc": cmc, "roc": roc}))
    evaluation = evaluate(embedder, [str(file)], cache=str(tmp_path / "root"))
    assert {f.figure: f.value for f in evaluation.figures} == {"rank-1": 0.9, "rank-10": 0.97, "TAR@FAR=1e-06": 0.85}
    file.write_text("{}")
    with pytest.raises(UserError, match="expected cmc and roc"):
        evaluate(embedder, [str(file)], cache=str(tmp_path / "root"))


def test_a_kind_can_be_given(tmp_path: Path, embedder: str) -> None:
    tree, *_ = layout(tmp_path)
    with pytest.raises(UserError, match="--kind nonsense: give one of results, templates"):
        evaluate(embedder, [str(tree)], cache=str(tmp_path / "root"), aligned=True, kind="nonsense")
    evaluation = evaluate(
        embedder, [str(tree / "facescrub")], cache=str(tmp_path / "root"), aligned=True, kind="pairs", draws=0
    )
    assert evaluation.test_sets[0].pairs == 32 * 31 // 2
    with pytest.raises(UserError, match="give --detector, or --aligned"):
        evaluate(embedder, [str(tree)], cache=str(tmp_path / "root"))
