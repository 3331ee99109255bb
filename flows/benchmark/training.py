"""Training measured on this machine: the loop beside the bare network, and every loss beside the others."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.options import (
    NONE_GIVEN,
    Backbone,
    Batch,
    Dataset,
    Detector,
    Device,
    LearningRate,
    Networks,
    Only,
    Recipe,
    Root,
    Seed,
    Settings,
    Steps,
    TestSets,
    Threads,
    Turns,
)
from flows.cli.result import Result
from flows.evaluate.pair_sets import one_test_set, prepare_pairs
from flows.evaluate.verify_pairs import verify_model
from flows.refine.models import load_embedder
from flows.train.run_options import RunOptions, run_of, with_options
from flows.train.training_sets import build_training_set
from pipeline.errors import UserError
from pipeline.faces.packs import find_model
from pipeline.refinement import latest
from pipeline.schema import digest
from trainer.run import Run

if TYPE_CHECKING:
    from trainer.train import TrainingResult

log = logging.getLogger("refinery")
NETWORKS = ["iresnet18", "iresnet50", "mobilefacenet"]
BATCH = 16  # photos of an update, unless --batch says otherwise
MB = 1 << 20


@dataclass(frozen=True)
class TrainingRates(Result):
    """Images/s of the loop and of the bare network, turn by turn in one run."""

    device: str
    batch: int
    networks: list[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        """A line a network."""
        return [{k: f"{v:.1f}" if isinstance(v, float) else v for k, v in n.items()} for n in self.networks]

    def lines(self) -> list[str]:
        """What is measured beside what."""
        return [
            f"on {self.device}, {self.batch} photos an update",
            "loop: read, decode, train; bare: forward, loss and backward on random faces in memory",
            "memory: the most the process has held so far; model: weights, gradients and the optimizer's state",
        ]


def train(
    data: Dataset,
    network: Networks = NONE_GIVEN,
    *,
    turns: Turns = 5,
    device: Device = "",
    threads: Threads = 2,
    batch: Batch = None,
    settings: Settings = NONE_GIVEN,
) -> TrainingRates:
    """Measure images per second of the training loop beside the bare network's, in one run.

    Without --network: iresnet18, iresnet50, mobilefacenet; without --batch 16 photos an update; SGD in fp32.
    """
    from trainer.throughput import throughput  # torch takes seconds to load

    found = []
    for name in network or NETWORKS:
        log.info("%s: %d updates of the loop and of the bare network, in turns", name, turns)
        run = with_options(Run(backbone=name, batch=BATCH, optimizer="sgd"), RunOptions(batch=batch, settings=settings))
        t = throughput(run, data, turns=turns, device=device, threads=threads)
        found.append(
            {
                "network": name,
                "loop images/s": t.loop_images_per_s,
                "bare images/s": t.bare_images_per_s,
                "share": t.loop_images_per_s / t.bare_images_per_s,
                "memory MB": t.peak_bytes // MB,
                "model MB": t.model_bytes // MB,
                "device": t.device,
            }
        )
    shown = [{k: v for k, v in n.items() if k != "device"} | {"share": f"{n['share']:.1%}"} for n in found]
    return TrainingRates(str(found[0]["device"]), batch or BATCH, shown)


@dataclass(frozen=True)
class LossTable(Result):
    """What every loss is worth with the same recipe."""

    losses: list[dict[str, Any]]
    test_set: str
    run: str

    def rows(self) -> list[dict[str, Any]]:
        """A line a loss."""
        return self.losses

    def lines(self) -> list[str]:
        """How it was made."""
        return [f"{self.run}; test set {self.test_set}; [ ]: 95% interval over test sets drawn from its people"]


def losses(
    root: Root,
    test_set: TestSets = NONE_GIVEN,
    *,
    recipe: Recipe = "sample",
    only: Only = NONE_GIVEN,
    detector: Detector = "",
    device: Device = "",
    backbone: Backbone = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> LossTable:
    """Train the same recipe with every loss on the refined data, and compare them on a test set."""
    from trainer.losses.objective import LOSSES  # torch takes seconds to load

    run = run_of(recipe, RunOptions(backbone, "", steps, batch, lr, seed, settings))
    test_name = one_test_set(test_set)
    done = latest(root)
    data = build_training_set(root, done.labels, done.faces)
    test = prepare_pairs(root, test_name, detector=find_model(detector, "detector") if detector else "")
    rows = []
    for name in only or LOSSES:
        try:
            made = train_once(root, replace(run, loss=name), data, device)
        except UserError as error:  # one that does not converge has its line like the others
            rows.append({"loss": name, "TAR@FAR=0.01": f"none: {error}"})
            continue
        v = verify_model(root, load_embedder(str(made.checkpoint)), test)
        far = "TAR@FAR=0.01"
        if far not in v.figures:
            raise UserError(f"{test_name} has {v.pairs - v.genuine} pairs of two people: {far} takes 100 or more")
        low, high = v.interval[far]
        rows.append(
            {
                "loss": name,
                far: f"{v.figures[far]:.3f} [{low:.3f}, {high:.3f}]",
                "AUC": f"{v.auc:.4f}",
                "accuracy": f"{v.accuracy:.4f}",
                "last loss": f"{made.loss:.3f}",
            }
        )
    return LossTable(rows, test.name, f"{recipe}, {run.steps} updates of {run.batch}, seed {run.seed}")


def train_once(root: str, run: Run, data: Path, device: str = "") -> "TrainingResult":
    """A run trained on data, in a folder of the root that is named by both: made once."""
    from trainer.train import train as fit

    log.info("%s: train %d updates", run.loss, run.steps)
    return fit(run, data, Path(root).absolute() / "trainings" / digest(data.stem, str(run)), device=device)
