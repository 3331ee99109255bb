"""The whole loop on people that are drawn: nothing to fetch, nothing to label, and the truth is known.

Draw a noisy world, refine it with the two small models that come along, answer from the truth what people would be
asked, train the same recipe on the data before, after, and less as much at random, and compare.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import flow

from flows.cli.options import OutFolder, People, Photos, Seed, Seeds, Steps
from flows.cli.result import Result, text_table
from flows.refine.export import export
from flows.refine.flow import refine
from flows.sample.true_answers import true_answers
from flows.train.experiment import Comparison, experiment
from pipeline.refined.labels import label_again
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refined.scoring.score import Score, score
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.votes import settled_verdicts
from pipeline.sample.models import DETECTOR, EMBEDDER
from pipeline.sample.world import draw_world

log = logging.getLogger("refinery")
DRAWS = 300  # test sets drawn for an interval: enough for two digits, and every pair of 360 photos is asked each time


@dataclass(frozen=True)
class DemoResult(Result):
    """The finished loop."""

    score: Score
    asked: int
    kept: int
    ingested: int
    comparison: Comparison
    folder: str
    seconds: float

    def rows(self) -> list[dict[str, Any]]:
        """What was planted and what was found of it."""
        return self.score.rows()

    def lines(self) -> list[str]:
        """What came of it, where everything lies, what to run next."""
        s, world, root = self.score, f"{self.folder}/world", f"{self.folder}/root"
        lost = f"{s.clean_lost} of {s.clean} ({s.clean_lost / max(1, s.clean):.1%})"
        return [
            f"{self.ingested} photos, {self.kept} kept; clean photos lost: {lost}",
            f"wrong labels: {s.noise_before:.1%} before, {s.noise_after:.1%} after",
            f"{self.asked} findings were left undecided and answered from the truth, as annotators would",
            "",
            *text_table(self.comparison.rows()),
            *self.comparison.lines(),
            "",
            f"photos and truth: {world}; tables: {root}; refined data set: {self.folder}/refined",
            f"all of it in {self.seconds:.0f} s",
            f"next: refinery experiment {root} --test-set {world}/test --seeds 3 --detector {DETECTOR}",
            f"      refinery labels {root} --out labels.tsv",
            "      refinery refine ROOT image-folder YOUR_PHOTOS --detector scrfd.onnx --embedder arcface.onnx",
        ]


@flow(name="demo", validate_parameters=False, persist_result=False)
def demo(
    out: OutFolder = Path("demo"),
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
    said = settled_verdicts(root)
    log.info("%d findings are undecided: answered from the truth, as annotators would", len(said))
    done = label_again(root, said)
    if not (out / "refined").exists():
        export(root, out / "refined")
    compared = experiment.fn(root, [test], seeds=seeds, detector=str(DETECTOR), draws=DRAWS, seed=seed, steps=steps)
    account = done.account
    return DemoResult(
        score(done.labels.batches(["key", "identity", "reason"]), truth),
        len(said),
        account.kept,
        account.ingested,
        compared,
        str(out.absolute()),
        time.monotonic() - started,
    )
