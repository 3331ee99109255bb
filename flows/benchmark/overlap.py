"""Identities of a test set that are found among the persons, when the test set has a single photo of each.

A test set of single photos is the hard case: nothing there makes up for a bad photo. Of each identity of the test set
a photo is drawn, and the policy decides as in a refinement. Nothing is written to the root.
"""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from flows.cli.options import Root, Seed, World
from flows.cli.result import Result
from flows.refine.models import load_embedder
from flows.refine.tables import build_all_embeddings
from pipeline.errors import UserError
from pipeline.noise.calibration import read_calibration
from pipeline.noise.person_gallery import PersonGallery, read_persons
from pipeline.noise.policy import Rates, judge, thresholds
from pipeline.noise.relations import RelationRule, find_overlaps, make_test_gallery
from pipeline.noise.scores.fusion import Calibration, genuine_quantile
from pipeline.noise.stages import REPORTED_OVERLAPS
from pipeline.progress import stage_progress
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refinement import Refinement, latest
from pipeline.tables.columns import texts, vectors


class TestPhotos(NamedTuple):
    """The photos of all test sets that have a face: their identities [n], and each embedder's vectors [n, d]."""

    identity: NDArray[np.object_]
    x: list[NDArray[Any]]


class Draw(NamedTuple):
    """The identities that one draw of test photos found, and those that it would ask people about."""

    removed: frozenset[str]
    asked: frozenset[str]


@dataclass(frozen=True)
class OverlapFigures(Result):
    """Means over draws of single test photos. names: identities of the data whose person is in the test sets.

    recall: share of the names that are removed; with_people: that are removed or asked about; precision: share of the
    identities removed that are such names; questions: identities asked about, a draw.
    """

    names: int
    draws: int
    recall: float
    with_people: float
    precision: float
    questions: float

    def rows(self) -> list[dict[str, Any]]:
        """One row."""
        return [
            {
                "names in the test sets": self.names,
                "draws": self.draws,
                "removed": f"{self.recall:.3f}",
                "removed or asked": f"{self.with_people:.3f}",
                "precision": f"{self.precision:.3f}",
                "questions": f"{self.questions:.1f}",
            }
        ]

    def lines(self) -> list[str]:
        """What the columns mean."""
        return ["shares of the names, and of the identities removed; questions: identities asked about, in one draw"]


def overlap(
    root: Root,
    world: World,
    repeats: Annotated[int, typer.Option(min=1, help="How often the test photos are drawn.")] = 20,
    seed: Seed = 0,
) -> OverlapFigures:
    """Measure how many identities of a test set are found when it has one photo of each; the truth must be known."""
    refinement, truth = latest(root), read_truth(world)
    if truth.overlap is None or not refinement.test_faces:
        raise UserError(f"{world} has no overlap.tsv, or {root} was refined without --test-set: give both")
    calibration = read_calibration(root, refinement.calibration.shards[0])
    persons = read_persons(root, refinement.persons.shards, refinement.calibration.shards[0])
    photos = _test_photos(refinement)
    rng, found = np.random.default_rng(seed), []
    with stage_progress("overlap", total=repeats, unit="draws") as advance:
        for _ in range(repeats):
            found.append(_draw(photos, persons, calibration, rng))
            advance(1)
    removed = [len(draw.removed & truth.overlap) for draw in found]
    return OverlapFigures(
        names=len(truth.overlap),
        draws=repeats,
        recall=float(np.mean(removed)) / len(truth.overlap),
        with_people=float(np.mean([len((d.removed | d.asked) & truth.overlap) for d in found])) / len(truth.overlap),
        precision=sum(removed) / max(1, sum(len(draw.removed) for draw in found)),
        questions=float(np.mean([len(draw.asked) for draw in found])),
    )


def _test_photos(refinement: Refinement) -> TestPhotos:
    """The photos of the test sets, embedded as the refinement did: their tables are found, or made again."""
    embedders = [load_embedder(model) for model in refinement.options.models[1:]]
    identities, columns = [], []
    for faces in refinement.test_faces:
        tables = [t.read(["face_id", "identity", "x"]) for t in build_all_embeddings(faces.root, faces, embedders)]
        both = [vectors(table["x"]) for table in tables]
        valid = np.logical_and.reduce([mask for _, mask in both])
        identities.append(texts(tables[0]["identity"])[valid])
        columns.append([x[valid] for x, _ in both])
    return TestPhotos(np.concatenate(identities), [np.concatenate(x) for x in zip(*columns, strict=True)])


def _draw(photos: TestPhotos, persons: PersonGallery, calibration: Calibration, rng: np.random.Generator) -> Draw:
    """One photo of each identity, drawn at random, and what the policy makes of it."""
    order = rng.permutation(len(photos.identity))
    _, first = np.unique(photos.identity[order].astype(str), return_index=True)
    rows = np.sort(order[first])
    gallery = make_test_gallery(photos.identity[rows].tolist(), [x[rows] for x in photos.x], calibration)
    rates = Rates()
    rule = RelationRule(REPORTED_OVERLAPS / len(rows), genuine_quantile(calibration, rates.overlap_frr))
    findings = find_overlaps(persons, np.arange(len(persons.person)), gallery, calibration, rule)
    limits = thresholds(calibration, persons=len(persons.person), tests=len(rows), rates=rates, overlaps=findings)
    verdict = judge(findings, limits, calibration)
    identity = dict(zip(persons.person.tolist(), persons.identity.tolist(), strict=True))
    names = np.array([identity[person] for person in findings["subject"].to_pylist()], object)
    removed = frozenset(names[verdict == "yes"].tolist())
    return Draw(removed, frozenset(names[verdict == "unsure"].tolist()) - removed)
