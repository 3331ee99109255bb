"""A small real world for the flows: some people of noisy_lfw with their planted noise, and the real models."""

import csv
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flows.refine import Outcome, refine
from pipeline.refined.latest import latest


@dataclass(frozen=True)
class World:
    """Photos in folders, what is true of them, and the models' paths as options of a refinement."""

    photos: Path
    truth: list[dict[str, str]]
    models: dict[str, str] = field(repr=False)

    def refine(self, root: Path | str, *source: str, **more: Any) -> Outcome:
        """A refinement without Prefect."""
        return refine.fn(list(source) or ["image-folder", str(self.photos)], root=str(root), **{**self.models, **more})


def fates(root: Path | str) -> dict[str, tuple[str | None, str]]:
    """Each photo's identity and reason by its key."""
    rows = latest(str(root)).tables["labels"].read().to_pylist()
    return {r["key"]: (r["identity"], r["reason"]) for r in rows}


def tree(root: Path) -> dict[str, bytes]:
    """Every file under a root with its bytes; the lock, and what a killed process left unfinished, is not looked at."""
    files = (p for p in root.rglob("*") if p.is_file() and not p.name.endswith((".tmp", ".lock")))
    return {str(p.relative_to(root)): p.read_bytes() for p in files}


@pytest.fixture(scope="session")
def models(material: Path) -> dict[str, str]:
    """Detector and both embedders, as options of a refinement."""
    return {
        "detector": str(material / "models/yunet_n_320_320.onnx"),
        "embedder": str(material / "models/arcface_mobilefacenet_ms1m.onnx"),
        "second_embedder": str(material / "models/arcface_mobilefacenet_casia.onnx"),
    }


@pytest.fixture(scope="session")
def world(material: Path, models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> World:
    """Sixty names of noisy_lfw, those with junk, duplicates and two persons first."""
    with open(material / "noisy_lfw/truth.tsv", newline="") as stream:
        truth = list(csv.DictReader(stream, delimiter="\t"))
    special = {"junk": 3, "duplicate": 2, "flip": 1}
    weight: dict[str, int] = {}
    for row in truth:
        weight[row["claimed"]] = max(weight.get(row["claimed"], 0), special.get(row["kind"], 0))
    sizes = {name: sum(r["claimed"] == name for r in truth) for name in weight}
    chosen = set(sorted((n for n in weight if sizes[n] <= 8), key=lambda n: (-weight[n], n))[:60])
    photos = tmp_path_factory.mktemp("world") / "photos"
    for name in chosen:
        shutil.copytree(material / "noisy_lfw/photos" / name, photos / name)
        (photos / name / "notes.txt").write_text("no photo")
    (photos / ".hidden.jpg").write_bytes(b"no photo either")
    return World(photos, [r for r in truth if r["claimed"] in chosen], models)


@pytest.fixture(scope="session")
def refined(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of an undisturbed refinement of the small world."""
    root = tmp_path_factory.mktemp("refined") / "root"
    world.refine(root)
    return root


@pytest.fixture(scope="session")
def few(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Sixteen of these names, for what is done several times over."""
    names = sorted({row["claimed"] for row in world.truth})[::4][:16]
    photos = tmp_path_factory.mktemp("few") / "photos"
    for name in names:
        shutil.copytree(world.photos / name, photos / name)
    return World(photos, [r for r in world.truth if r["claimed"] in names], world.models)


@pytest.fixture(scope="session")
def few_refined(few: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of an undisturbed refinement of a few names, in shards enough to be stopped between."""
    root = tmp_path_factory.mktemp("few-refined") / "root"
    few.refine(root, shards=8)
    return root
