"""Unrecognisable faces planted in a data set whose truth is known: refined without and with the quality of faces."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from flows.cli.options import Detector, Embedder, OutFolder, Quality, SecondEmbedder, Seed, World
from flows.cli.result import Result
from flows.refine.building.whole_refinement import build_refinement
from flows.refine.request import RefineRequest
from pipeline.noise.stages import Noise, find_noise
from pipeline.refined.labels import label
from pipeline.refined.scoring.known_truth import Truth, read_truth
from pipeline.refined.scoring.score import score
from pipeline.refinement import Refinement
from pipeline.root_lock import root_lock
from pipeline.sample.cases.planted_data import planted_data
from pipeline.sample.cases.truth_tables import read_rows
from pipeline.sample.cases.unrecognisable_faces import LIST_COLUMNS, LIST_FILE, plant_unrecognisable_faces
from pipeline.tables.table import Table


@dataclass(frozen=True)
class PlantedFaces(Result):
    """What became of the planted photos, and of the rest of the data, without and with the quality of faces."""

    arms: list[dict[str, Any]]
    planted: dict[str, int]

    def rows(self) -> list[dict[str, Any]]:
        """A row without and one with the quality of faces."""
        return self.arms

    def lines(self) -> list[str]:
        """What was planted."""
        words = ", ".join(f"{way} {n}" for way, n in self.planted.items())
        return [f"planted: {words}; kept: under the identity where it was planted", "relabelled: fed to another person"]


def unrecognisable(
    out: OutFolder,
    world: World,
    detector: Detector,
    embedder: Embedder,
    *,
    second_embedder: SecondEmbedder = "",
    quality: Quality = "",
    scattered_over: Annotated[int, typer.Option(help="Identities that get unrecognisable faces.")] = 36,
    unrecognisable_faces: Annotated[int, typer.Option(help="Unrecognisable faces in each of them.")] = 10,
    crowd: Annotated[int, typer.Option(help="Thumbnails in each of two further identities.")] = 30,
    seed: Seed = 0,
) -> PlantedFaces:
    """Plant unrecognisable faces in a data set with known truth, and refine it without and with face quality."""
    counts = {"identities": scattered_over, "each": unrecognisable_faces, "crowd": crowd, "seed": seed}
    data = planted_data(
        out,
        {"world": world.absolute(), **counts},
        lambda folder: plant_unrecognisable_faces(world, folder, **counts),
    )
    source = ["image-folder", str(data / "photos")]
    request = RefineRequest.parse(source, detector, embedder, second_embedder=second_embedder, quality=quality)
    with root_lock(str(out / "root")):
        refinement = build_refinement(str(out / "root"), request)
    without = find_noise(refinement.root, refinement.faces, refinement.embeddings)
    ways = {row["path"]: row["way"] for row in read_rows(data, LIST_FILE, LIST_COLUMNS)}
    truth = read_truth(data)
    arms = [
        _arm("without", _labels(refinement, without), truth, ways),
        _arm("with", refinement.labels, truth, ways),
    ]
    return PlantedFaces(arms, dict(Counter(ways.values())))


def _labels(refinement: Refinement, noise: Noise) -> Table:
    """The labels of a refinement's photos that follow from other findings."""
    options = refinement.options
    return label(
        refinement.root, refinement.photos, noise, undecided=options.undecided, min_faces=options.min_faces
    ).labels


def _arm(quality: str, labels: Table, truth: Truth, ways: Mapping[str, str]) -> dict[str, Any]:
    """A row of the table: fates of the planted photos, and the score."""
    rows = labels.read(["key", "claimed", "identity", "reason"])
    fates = Counter[str]()
    for key, claimed, identity, reason in zip(*(rows[c].to_pylist() for c in rows.schema.names), strict=True):
        if key in ways:
            fates["kept" if identity == claimed else "relabelled" if identity else reason] += 1
    named = ("relabelled", "kept", "poor", "outlier", "no_face")
    result = score([rows.select(["key", "identity", "reason"])], truth)
    return {
        "quality": quality,
        **{name: fates[name] for name in named},
        "other": sum(n for fate, n in fates.items() if fate not in named),
        "noise F1": f"{result.noise.f1:.4f}",
        "wrong labels left": f"{result.noise_after:.2%}",
        "clean photos lost": f"{result.clean_lost} of {result.clean}",
    }
