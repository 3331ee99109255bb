"""The demo on a small drawn world: its counts add up, and a second run finds all tables and trainings."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from flows.benchmark import figures
from flows.benchmark.training import losses
from flows.refine.clean import clean
from flows.refine.flow import refine
from flows.sample.flow import DemoResult, demo
from flows.train.experiment import experiment
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refined.scoring.score import score
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.photos.drawn_world import LARGER_PEOPLE, LARGER_PHOTOS, LARGER_SEED, larger_world_of_run
from tests.builders.small_world import fates
from trainer import checkpoint
from trainer.data.data_set import open_faces
from trainer.export import to_onnx
from trainer.pretrained.start import Start
from trainer.run import Run

pytestmark = pytest.mark.slow
SIZE = {"people": LARGER_PEOPLE, "photos": LARGER_PHOTOS, "seed": LARGER_SEED, "steps": 6}


class Small(NamedTuple):
    """A finished demo and its folder."""

    out: Path
    result: DemoResult


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """It finds the world drawn, but for some photos, which it draws."""
    out = tmp_path_factory.mktemp("demo") / "out"
    shutil.copytree(larger_world_of_run(tmp_path_factory), out / "world")
    for photo in sorted((out / "world/photos").rglob("*.jpg"))[::40]:
        photo.unlink()
    return Small(out, demo.fn(out, **SIZE))


def test_all_planted_noise_is_counted_and_every_photo_is_kept_or_removed(small: Small) -> None:
    result = small.result
    truth = read_truth(small.out / "world")
    assert result.ingested == len(truth.keys) == LARGER_PHOTOS
    assert result.score.clean + sum(result.score.planted.values()) == LARGER_PHOTOS
    assert all(0 <= result.score.stopped[k] <= n for k, n in result.score.planted.items())
    assert {"duplicate", "flip", "outlier"} <= result.score.planted.keys()
    assert result.score.stopped["outlier"] <= result.score.outliers_apart <= result.score.planted["outlier"]
    assert result.kept == result.score.kept == len(open_faces(small.out / "refined").labels)
    assert {m.arm: m.photos for m in result.comparison.measured}["random"] == result.kept


def test_true_labels_get_a_perfect_score(small: Small) -> None:
    """The labels of the refinement are replaced by the true labels."""
    truth = read_truth(small.out / "world")
    labels = latest(str(small.out / "root")).labels.read()
    rows = zip(truth.keys, truth.person, truth.kind, strict=True)
    person = {key: person if kind in ("clean", "flip") else None for key, person, kind in rows}
    right = [person[key] for key in labels["key"].to_pylist()]
    perfect = labels.set_column(labels.schema.get_field_index("identity"), "identity", pa.array(right, pa.string()))
    perfect_score = score([perfect], truth)
    assert perfect_score.noise_after == 0
    assert perfect_score.stopped == perfect_score.planted
    assert perfect_score.noise_before > 0.2


def test_the_second_run_finds_everything(small: Small, caplog: pytest.LogCaptureFixture) -> None:
    def files() -> dict[Path, int]:
        return {
            p: p.stat().st_mtime_ns for p in small.out.rglob("*") if p.suffix in (".parquet", ".pt", ".onnx", ".jpg")
        }

    before = files()
    with caplog.at_level("INFO", logger="refinery"):
        again = demo.fn(small.out, **SIZE)
    assert files() == before
    assert "shards made" not in caplog.text
    assert replace(again, seconds=0) == replace(small.result, seconds=0)


def test_clean_keeps_the_inputs_of_existing_trainings_and_experiments(small: Small, tmp_path: Path) -> None:
    root = shutil.copytree(small.out / "root", tmp_path / "root")
    source = ["image-folder", str(small.out / "world/photos")]
    refine.fn(str(root), source, detector=str(DETECTOR), embedder=str(EMBEDDER))  # another one, without a test set

    def held() -> set[Path]:
        return {p for name in ("refined", "faces", "trainings", "experiments") for p in (root / name).rglob("*.*")}

    before = held()
    assert clean(str(root), min_age=0).files.keys() >= {"claims", "random", "embeddings"}
    assert held() == before
    for folder in ("trainings", "experiments"):
        shutil.rmtree(root / folder)
    assert clean(str(root), min_age=0).files.keys() == {"refined", "faces"}
    assert latest(str(root)).faces.read(["jpeg"]).num_rows == LARGER_PHOTOS


def test_losses_are_compared_and_trained_once(small: Small, caplog: pytest.LogCaptureFixture) -> None:
    options = {"detector": str(DETECTOR), "only": ["norm_softmax_20", "triplet+centre"], "steps": 6, "device": "cpu"}
    root, test = str(small.out / "root"), str(small.out / "world/test")
    with caplog.at_level("INFO", logger="refinery"):
        first = losses(root, [test], **options)
    assert "step 1 of" in caplog.text
    assert [row["loss"] for row in first.rows()] == options["only"]
    assert all(0 <= float(row["accuracy"]) <= 1 and "[" in row["TAR@FAR=0.01"] for row in first.rows())
    caplog.clear()
    with caplog.at_level("INFO", logger="refinery"):
        assert losses(root, [test], **options) == first
    assert "step 1 of" not in caplog.text


def test_the_papers_figures_are_drawn_from_the_trainings(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "TOY_STEPS", 2)
    root, test = str(small.out / "root"), str(small.out / "world/test")
    options = {"detector": str(DETECTOR), "steps": 2, "device": "cpu"}
    paper_figures = figures.figures(root, tmp_path / "figures", test_set=[test], **options)
    table = {row["loss"]: row for row in paper_figures.rows()}
    assert set(table) == set(figures.TABLE)
    assert not table["triplet"]["W-EC"], "a triplet loss has no weights"
    assert 0 < float(table["arcface"]["W-EC"]) < 180
    names = {f.stem for f in (tmp_path / "figures").glob("*.png")}
    assert names == {
        "figure_3_norm_softmax",
        "figure_3_arcface",
        "figure_4",
        "figure_6",
        "figure_7",
        "figure_8_cmc",
        "figure_8_roc",
    }


def test_the_comparison_holds_no_path_of_the_machine(small: Small) -> None:
    text = Path(small.result.comparison.folder, "comparison.json").read_text()
    assert str(small.out) not in text
    assert set(json.loads(text)["models"]) == {"before", "after", "random"}
    assert Path(small.result.comparison.folder, "comparison.png").stat().st_size > 10_000


def test_seeds_give_intervals_over_seeds_and_every_training_starts_from_the_file(small: Small) -> None:
    root, options = small.out / "root", {"detector": str(DETECTOR), "steps": 2, "init": str(EMBEDDER)}
    comparison = experiment.fn(str(root), [str(small.out / "world/test")], seeds=2, **options)
    models = [path for paths in comparison.models.values() for path in paths]
    starts = [checkpoint.load(root / path).start for path in models]
    assert len(set(models)) == 6
    assert starts == [comparison.run["start"]] * 6
    assert starts[0] == Start(str(EMBEDDER)).settings
    assert all(len(m.seeds) == 2 for m in comparison.measured)
    assert all(g.seeds is not None and g.seeds[0] <= g.by <= g.seeds[1] for g in comparison.gains)
    assert {g.than for g in comparison.gains} == {"before", "random"}


def test_a_network_as_checkpoint_and_as_onnx_gives_the_same_fates(small: Small, tmp_path: Path) -> None:
    run = Run(backbone="sample", embedding=64)
    net = checkpoint.build_backbone(run).eval()
    kept = checkpoint.Checkpoint(run, "", 2, 0, -1.0, net.state_dict(), {}, {}, {})
    checkpoint.save(tmp_path / "net.pt", kept)
    to_onnx(net, tmp_path / "net.onnx", channels=3, size=112)
    for person in sorted((small.out / "world/photos").iterdir())[:5]:
        shutil.copytree(person, tmp_path / "photos" / person.name)
    source = ["image-folder", str(tmp_path / "photos")]
    for form in ("pt", "onnx"):
        refine.fn(str(tmp_path / form), source, detector=str(DETECTOR), embedder=str(tmp_path / f"net.{form}"))
    assert fates(tmp_path / "pt") == fates(tmp_path / "onnx")


def test_the_shipped_models_are_small() -> None:
    assert DETECTOR.stat().st_size + EMBEDDER.stat().st_size < 6e6
