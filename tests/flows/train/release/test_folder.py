"""What leaves a training: three forms of one model, a card that parses and passes a linter, and no private name."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from pymarkdown.api import PyMarkdownApi

from flows.cli import app
from flows.refine.models import load_embedder
from pipeline.faces.embed import OnnxEmbedder
from tests.builders.photos import exported_faces
from tests.builders.photos.drawn_test_sets import bin_file, people_folders
from tests.builders.processes.command_line import Command, error_line
from trainer import checkpoint

pytestmark = pytest.mark.slow
TRAINING = ("--set", "embedding=32", "--batch", "16", "--steps", "6", "--device", "cpu", "--loss", "arcface:scale=16")
GROUP = "A|B <i>*\x1b"  # the user's words, as hostile as they may be
PEOPLE = 6
DATA_CARD = "# Faces, refined\n\nExported on 2026-01-02 by refinery 1.0.\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def words(folder: Path) -> list[object]:
    """The words of the command that trains."""
    data = exported_faces.parquet(folder / "export", 8, 8)
    (data / "README.md").write_text(f"---\nlicense: unknown\n---\n\n{DATA_CARD}")
    people = people_folders(folder / "[people]", PEOPLE, 4)
    groups = folder / "groups.csv"
    groups.write_text("identity,group\n" + "".join(f'P{p:02},"{(GROUP, "C")[p % 2]}"\n' for p in range(PEOPLE)))
    words = ["train", data, "--out", folder / "out", *TRAINING, "--test-set", people, "--draws", 20, "--aligned"]
    words += ["--test-set", bin_file(folder / "drawn.bin"), "--groups", groups, "--far", 0.1]
    (folder / "other").mkdir()
    words += ["--test-set", bin_file(folder / "other/drawn.bin")]
    return [*words, "--licence", "cc-by-nc-4.0"]


@pytest.fixture(scope="module")
def release(folder: Path, words: list[object]) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["refinery", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            app.main()
    assert not ended.value.code
    return folder / "out/release"


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_three_forms_of_the_model_give_the_same_vectors(release: Path) -> None:
    assert sorted(p.name for p in release.iterdir()) == ["README.md", "data_card.md", "model.onnx", "model.safetensors"]
    faces = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)
    weights, checkpoint = (load_embedder(str(release / name))(faces) for name in ("model.safetensors", "../last.pt"))
    onnx = OnnxEmbedder(str(release / "model.onnx"))(faces)
    assert np.abs(weights - checkpoint).max() < 1e-4
    assert np.abs(weights - onnx).max() < 1e-4
    assert np.abs(onnx).max() > 0.1


def test_each_way_to_load_it_that_the_card_names_gives_these_vectors(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(release, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    face = np.random.default_rng(1).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    cv2.imwrite("face.png", face)
    expected = load_embedder("model.safetensors")(face[None])[0]
    blocks = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    assert [b.count("get_feat") for b in blocks] == [0, 0, 1]
    for block in blocks:
        names: dict = {}
        exec(block, names)
        assert np.abs(names["embedding"] - expected).max() < 1e-4


def test_the_front_matter_is_what_the_hub_reads(release: Path) -> None:
    text = (release / "README.md").read_text()
    card = ModelCard(text)
    assert card.data.license == "cc-by-nc-4.0"
    assert card.data.pipeline_tag == "image-feature-extraction"
    assert {"face-recognition", "onnx", "safetensors"} <= set(card.data.tags)
    results = {(r.dataset_name, r.metric_name.split(" (")[0]): r for r in card.data.eval_results}
    shown = dict(re.findall(r"^\| drawn \| (\S+) \| (\d\.\d{4})", text, re.MULTILINE))
    assert {name: f"{results['drawn', name].metric_value:.4f}" for name in shown} == shown
    assert "95% interval" in results["drawn", "AUC"].metric_name
    metrics = front_matter(text)["model-index"][0]["results"][0]["metrics"]
    assert all(0 <= metric["value"] <= 1 for metric in metrics)


def test_test_sets_of_one_name_are_numbered_in_the_log_and_the_card(release: Path) -> None:
    lines = [json.loads(line) for line in (release.parent / "log.jsonl").read_text().splitlines()]
    logged = {name.partition("/")[0] for line in lines for name in line if "/" in name}
    shown = re.findall(r"^\| (\S+) \| accuracy", (release / "README.md").read_text(), re.MULTILINE)
    assert logged == {"[people]", "drawn", "drawn-2"}
    assert shown == [r"\[people\]", "drawn", "drawn-2"]


def test_the_card_passes_a_linter(release: Path) -> None:
    api = (
        PyMarkdownApi().enable_extension_by_identifier("front-matter").enable_extension_by_identifier("markdown-tables")
    )
    api = api.disable_rule_by_identifier("line-length")  # a table's rows are as long as they are
    result = api.scan_path(str(release / "README.md"))
    assert [f"{f.line_number}: {f.rule_name} {f.extra_error_information}" for f in result.scan_failures] == []
    assert not result.pragma_errors


def test_the_card_tells_figures_by_group_and_no_identity(release: Path, folder: Path) -> None:
    text = (release / "README.md").read_text()
    assert r"### \[people\] by group of people" in text
    assert r"A\|B \<i\>\*\\x1b" in text
    assert "impostors of C" in text
    assert "\x1b" not in text
    assert "Gap: how much better" in text
    names = [f"p{i}" for i in range(8)] + [f"P{p:02}" for p in range(PEOPLE)]
    for name in names:
        assert not re.search(rf"(?<![0-9A-Za-z]){name}(?![0-9A-Za-z])", text), name
    for file in release.iterdir():
        assert str(folder).encode() not in file.read_bytes(), "no path of this machine"
    assert "64 photos of 8 identities" in text
    assert "[data_card.md](data_card.md)" in text
    assert (release / "data_card.md").read_text() == DATA_CARD


COMMAND = (
    "refinery train DATA --recipe sample --out OUT --set embedding=32 --loss arcface:scale=16 --batch 16 --steps 6"
)


def test_the_command_of_the_card_names_what_differs_from_the_recipe_and_the_ranks(
    release: Path, words: list[object], refinery: Command
) -> None:
    assert f"```bash\n{COMMAND}\n```" in (release / "README.md").read_text()
    last = release.parent / "last.pt"
    written = last.read_bytes()
    checkpoint.save(last, replace(checkpoint.load(last), ranks=4))
    try:
        assert refinery(*words)[0] == 0
        command = f"torchrun --nproc-per-node 4 --no-python {COMMAND}"
        assert f"```bash\n{command}\n```" in (release / "README.md").read_text()
    finally:
        last.write_bytes(written)
        assert refinery(*words)[0] == 0


def test_a_second_run_writes_the_same_bytes_and_makes_what_is_gone(
    release: Path, words: list[object], refinery: Command
) -> None:
    before = {p.name: p.read_bytes() for p in release.iterdir()}
    (release / "model.safetensors").unlink()
    (release / "README.md").write_text("damaged")
    status, out, err = refinery(*words)
    assert status == 0, err
    assert f"to publish, with its model card: {release}" in out
    assert {p.name: p.read_bytes() for p in release.iterdir()} == before


def test_a_readme_beside_the_data_that_no_export_wrote_is_not_published(
    folder: Path, release: Path, words: list[object], refinery: Command
) -> None:
    card = folder / "export/README.md"
    written = card.read_text()
    card.write_text("# My notes\n\nExported on 2026-01-02 by Alice from the disk of the lab.\n")
    try:
        assert refinery(*words)[0] == 0
        assert not (release / "data_card.md").exists()
        assert "the data set came without a data card" in (release / "README.md").read_text()
    finally:
        card.write_text(written)
        assert refinery(*words)[0] == 0


def test_mistakes_are_one_line_before_any_training(refinery: Command, words: list[object], tmp_path: Path) -> None:
    short = [*words[:3], tmp_path / "new"]
    assert "--licence my own: give an identifier" in error_line(refinery(*short, "--licence", "my own"))
    assert "--track neptune: give each of mlflow, wandb" in error_line(refinery(*short, "--track", "neptune"))
    assert "--draws -1: give 0 or more" in error_line(refinery(*short, "--draws", -1))
    twice = ("--test-set", "lfw.bin", "--test-set", "lfw.bin")
    assert "a test set is given twice: lfw.bin, lfw.bin" in error_line(refinery(*short, *twice))
    assert not (tmp_path / "new/last.pt").exists()
