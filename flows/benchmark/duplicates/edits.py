"""Duplicates as web sites make them, planted in a data set whose truth is known: how many of each edit are found.

Precision is measured on the same data, which has photos of one scene that are not one picture.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import typer

from flows.cli.options import Detector, Embedder, OutFolder, SecondEmbedder, Seed, World
from flows.cli.result import Result
from flows.refine.flow import refine
from flows.refine.models import load_models
from flows.sample.face_boxes import face_finder
from pipeline.noise.pictures.components import components
from pipeline.noise.pictures.same_picture import picture_correlations, sketch_rows
from pipeline.refinement import Refinement, latest
from pipeline.sample.cases.edited_duplicates import (
    PlantedDuplicate,
    plant_edited_duplicates,
    read_planted,
)
from pipeline.sample.cases.picture_edits import EDITS
from pipeline.sample.cases.planted_data import planted_data
from pipeline.sample.cases.truth_tables import read_rows
from pipeline.tables.columns import vectors

NEAR_COSINE = 0.6  # of two photos that may show one scene; half of the pairs of an LFW person reach it
SHOWN = 12  # pairs that are listed


@dataclass(frozen=True)
class EditedDuplicates(Result):
    """How many planted duplicates of each edit were found, and which other pairs were taken for one picture."""

    edits: list[dict[str, Any]]
    right: int  # duplicates and conflicts that are one picture by the truth
    wrong: list[str]  # and those that are not
    near_pairs: int  # pairs of clean photos of one identity that were compared by pixels
    highest: list[str]  # the most similar of them that were taken for two pictures

    def rows(self) -> list[dict[str, Any]]:
        """One row for each edit, under the person's identity and under another identity of the person."""
        return self.edits

    def lines(self) -> list[str]:
        """Precision, the wrong pairs, and the most similar pairs of different pictures."""
        found = self.right + len(self.wrong)
        precision = f"precision {self.right / max(1, found):.3f}"
        near = f"{self.near_pairs} pairs of clean photos of an identity are alike"
        return [
            f"{precision}: of {found} pairs taken for one picture {len(self.wrong)} are two by the truth",
            *(f"  {pair}" for pair in self.wrong),
            f"{near}; the highest correlations of two pictures:",
            *(f"  {pair}" for pair in self.highest),
        ]


def edits(
    world: World,
    out: OutFolder,
    detector: Detector,
    embedder: Embedder,
    *,
    second_embedder: SecondEmbedder = "",
    of_each_edit: Annotated[int, typer.Option(min=1, help="Duplicates by every edit.")] = 36,
    seed: Seed = 0,
) -> EditedDuplicates:
    """Plant duplicates by every edit in a data set with a known truth, refine it, and count the ones that are found."""
    models = load_models(detector, embedder, second_embedder)
    find_face = face_finder(models.detector)
    data = planted_data(
        out,
        {"world": world.absolute(), "each": of_each_edit, "seed": seed, "detector": detector},
        lambda folder: plant_edited_duplicates(world, folder, each=of_each_edit, seed=seed, find_face=find_face),
    )
    root = str(out / "root")
    refine.fn(root, ["image-folder", str(data / "photos")], detector, embedder, second_embedder=second_embedder)
    return measure(latest(root), read_planted(data), _sources(data))


def measure(
    refinement: Refinement, planted: Sequence[PlantedDuplicate], sources: Mapping[str, str]
) -> EditedDuplicates:
    """Compare the findings of a refinement with the truth. sources: by key the picture that a photo is."""
    photos, faces = refinement.photos.read(["face_id", "key"]), refinement.faces.read(["face_id", "sketch"])
    keys, row = photos["key"].to_pylist(), {f: n for n, f in enumerate(photos["face_id"].to_pylist())}
    findings = refinement.findings.read(["kind", "subject", "object"])
    findings = findings.filter(pc.is_in(findings["kind"], pa.array(["duplicate", "conflict"])))
    pairs = [
        (row[a], row[b])
        for a, b in zip(findings["subject"].to_pylist(), findings["object"].to_pylist(), strict=True)
        if a in row and b in row
    ]
    i, j = np.array(pairs, np.int64).reshape(-1, 2).T
    picture = components(len(keys), i, j)
    place, has_face = {key: n for n, key in enumerate(keys)}, np.asarray(faces["sketch"].is_valid())
    counts: dict[tuple[str, bool], Counter[str]] = {}
    for p in planted:
        a, b = place[p.path], place[p.of]
        count = counts.setdefault((p.edit, p.other_identity), Counter())
        count["planted"] += 1
        count["with a face"] += int(has_face[a] and has_face[b])
        count["found"] += int(picture[a] == picture[b])
    wrong = [f"{keys[a]} {keys[b]}" for a, b in pairs if sources[keys[a]] != sources[keys[b]]]
    near_pairs, highest = _near_pairs(refinement, keys, sources, {p.path for p in planted})
    rows = [
        _row(name, counts[name, other], other=other)
        for name in EDITS
        for other in (False, True)
        if (name, other) in counts
    ]
    return EditedDuplicates(rows, len(pairs) - len(wrong), wrong, near_pairs, highest)


def _row(edit: str, count: Counter[str], *, other: bool) -> dict[str, Any]:
    share = count["found"] / max(1, count["with a face"])
    return {
        "edit": edit,
        "identity": "another of the person" if other else "the same",
        **{name: count[name] for name in ("planted", "with a face", "found")},
        "share": f"{share:.1%}",
    }


def _near_pairs(
    refinement: Refinement, keys: Sequence[str], sources: Mapping[str, str], without: Iterable[str]
) -> tuple[int, list[str]]:
    """How many pairs of photos of one identity, of different pictures, are alike, and the most similar ones."""
    planted = set(without)
    x = vectors(refinement.embeddings[0].read(["x"])["x"])[0].astype(np.float32)
    sketches, drawn = sketch_rows(refinement.faces.read(["sketch"])["sketch"])
    identity = refinement.faces.read(["identity"])["identity"].to_pylist()
    members: dict[str, list[int]] = {}
    for n, key in enumerate(keys):
        if drawn[n] and key not in planted and identity[n] is not None:
            members.setdefault(identity[n], []).append(n)
    i, j = np.concatenate(
        [np.array(rows)[np.array(np.triu_indices(len(rows), 1))] for rows in members.values()], axis=1
    )
    near = np.einsum("nd,nd->n", x[i], x[j]) >= NEAR_COSINE
    near &= np.array([sources[keys[a]] != sources[keys[b]] for a, b in zip(i, j, strict=True)], bool)
    i, j = i[near], j[near]
    r = picture_correlations(sketches, i, j)
    below = np.flatnonzero(r < refinement.thresholds["same_picture"])
    best = below[np.argsort(-r[below], kind="stable")[:SHOWN]]
    return len(i), [f"{r[k]:.3f} {keys[i[k]]} {keys[j[k]]}" for k in best]


def _sources(data: Path) -> dict[str, str]:
    """By a photo's path the picture that it is, as the truth calls it."""
    named = {row["path"]: row["of"] or row["path"] for row in read_rows(data)}
    sources = dict(named)
    for key in named:
        while sources[key] in named and sources[key] != named[sources[key]]:
            sources[key] = named[sources[key]]
    return sources
