"""`refinery demo`: the whole loop on drawn people, offline; the true person of every photo is known.

Draw a noisy data set, and refine it with the two small models of pipeline/sample/models. Answer the undecided findings
from the true labels, in place of annotators. Then train one recipe on three data sets and compare the models: all
photos as claimed, the refined photos, and a random selection of as many photos as the refined data set has.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from flows.cli.options import OutFolder, People, Photos, Seed, Seeds, Steps
from flows.cli.result import Result, text_table
from flows.prefect_runtime.recorded_flow import recorded_flow
from flows.refine.export import export
from flows.refine.flow import refine
from flows.sample.true_answers import true_answers
from flows.train.comparison import Comparison
from flows.train.experiment import experiment
from pipeline.refined.labels import label_again
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refined.scoring.score import Score, score
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import settled_verdicts
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.sample.world import draw_world

log = logging.getLogger("refinery")
DRAWS = 300  # bootstrap samples for an interval: enough for two digits; each verifies every pair of 360 photos


@dataclass(frozen=True)
class DemoResult(Result):
    """A finished demo: the score of the refinement, and the trainings compared."""

    score: Score
    answered: int  # undecided findings that were answered from the truth
    kept: int
    ingested: int
    comparison: Comparison
    folder: str
    seconds: float

    def rows(self) -> list[dict[str, Any]]:
        """For each kind of planted noise: how many photos have it, and how many of them were found."""
        return self.score.rows()

    def lines(self) -> list[str]:
        """The results, the folders of the files, and the commands to run next."""
        score, world, root = self.score, f"{self.folder}/world", f"{self.folder}/root"
        test_set = quote(f"{world}/test")
        lost = f"{score.clean_lost} of {score.clean} ({score.clean_lost / max(1, score.clean):.1%})"
        return [
            f"{self.ingested} photos, {self.kept} kept; clean photos lost: {lost}",
            f"wrong labels: {score.noise_before:.1%} before, {score.noise_after:.1%} after",
            f"{self.answered} undecided findings were answered from the true labels, in place of annotators",
            "",
            *text_table(self.comparison.rows()),
            *self.comparison.lines(),
            "",
            f"photos and truth: {world}; tables: {root}; refined data set: {self.folder}/refined",
            f"everything took {self.seconds:.0f} s",
            f"next: refinery experiment {quote(root)} --test-set {test_set} --seeds 3 --detector {DETECTOR}",
            f"      refinery labels {quote(root)} --out labels.tsv",
            "      refinery refine ROOT image-folder YOUR_PHOTOS --detector scrfd.onnx --embedder arcface.onnx",
        ]


@recorded_flow("demo")
def demo(
    out: OutFolder = Path("demo"),
    *,
    people: People = 80,
    photos: Photos = 1200,
    seed: Seed = 0,
    seeds: Seeds = 1,
    steps: Steps = None,
) -> DemoResult:
    """Draw a noisy world, refine it, train before and after, compare: the whole loop in minutes, offline."""
    started = time.monotonic()
    world, root = out.absolute() / "world", str(out.absolute() / "root")
    log.info("draw %d people in %d photos, with a test set", people, photos)
    draw_world(world, people=people, photos=photos, seed=seed)
    test = str(world / "test")
    refine.fn(
        root,
        ["image-folder", str(world / "photos")],
        detector=str(DETECTOR),
        embedder=str(EMBEDDER),
        test_set=[test],
    )
    truth = read_truth(world)
    ledger.append(root, true_answers(latest(root), truth))
    answers = settled_verdicts(root)
    log.info("%d undecided findings are answered from the true labels, in place of annotators", len(answers))
    refinement = label_again(root, settled_verdicts)
    if not (out / "refined").exists():
        export(root, out / "refined")
    comparison = experiment.fn(root, [test], seeds=seeds, detector=str(DETECTOR), draws=DRAWS, seed=seed, steps=steps)
    account = refinement.account
    return DemoResult(
        score(refinement.labels.batches(["key", "identity", "reason"]), truth),
        len(answers),
        account.kept,
        account.ingested,
        comparison,
        str(out.absolute()),
        time.monotonic() - started,
    )
