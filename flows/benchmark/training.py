"""Two measurements of training: the rate of the loop beside the bare network, and every loss with one recipe."""

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
from trainer.run import Run, folder_text

if TYPE_CHECKING:
    from trainer.train import TrainingResult

log = logging.getLogger("refinery")
NETWORKS = ["iresnet18", "iresnet50", "mobilefacenet"]
BATCH = 16  # photos of an update, unless --batch says otherwise
MB = 1 << 20


@dataclass(frozen=True)
class TrainingRates(Result):
    """Photos per second of the training loop and of the bare network, measured in turn in one run."""

    device: str
    batch: int
    networks: list[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each network."""
        return [{k: f"{v:.1f}" if isinstance(v, float) else v for k, v in n.items()} for n in self.networks]

    def lines(self) -> list[str]:
        """The device, and what the columns mean."""
        return [
            f"on {self.device}, {self.batch} photos an update",
            "loop: read, decode, train; bare: forward, loss and backward on random faces in memory",
            "memory: the most that the process has held until then; model: weights, gradients, optimizer state",
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
    """Measure photos per second of the training loop beside the bare network's, in one run.

    Without --network: iresnet18, iresnet50, mobilefacenet; without --batch 16 photos an update; SGD in fp32.
    """
    from trainer.throughput import throughput  # torch takes seconds to load

    rates = []
    for name in network or NETWORKS:
        log.info("%s: %d updates of the loop and of the bare network, in turns", name, turns)
        run = with_options(Run(backbone=name, batch=BATCH, optimizer="sgd"), RunOptions(batch=batch, settings=settings))
        t = throughput(run, data, turns=turns, device=device, threads=threads)
        rates.append(
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
    networks = [{k: v for k, v in n.items() if k != "device"} | {"share": f"{n['share']:.1%}"} for n in rates]
    return TrainingRates(str(rates[0]["device"]), batch or BATCH, networks)


@dataclass(frozen=True)
class LossTable(Result):
    """The figures of a model trained with each loss and the same recipe."""

    losses: list[dict[str, Any]]
    test_set: str
    run: str

    def rows(self) -> list[dict[str, Any]]:
        """One row for each loss."""
        return self.losses

    def lines(self) -> list[str]:
        """The training, the test set, and what the brackets mean."""
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
    refinement = latest(root)
    data = build_training_set(root, refinement.labels, refinement.faces)
    test = prepare_pairs(root, test_name, detector=find_model(detector, "detector") if detector else "")
    rows = []
    for name in only or LOSSES:
        try:
            trained = train_once(root, replace(run, loss=name), data, device)
        except UserError as error:  # a training that does not converge has its row like the others
            rows.append({"loss": name, "TAR@FAR=0.01": f"none: {error}"})
            continue
        verified = verify_model(root, load_embedder(str(trained.checkpoint)), test)
        tar = "TAR@FAR=0.01"
        if tar not in verified.figures:
            raise UserError(f"{test_name} has {verified.pairs - verified.genuine} impostor pairs: {tar} needs 100")
        low, high = verified.interval[tar]
        rows.append(
            {
                "loss": name,
                tar: f"{verified.figures[tar]:.3f} [{low:.3f}, {high:.3f}]",
                "AUC": f"{verified.auc:.4f}",
                "accuracy": f"{verified.accuracy:.4f}",
                "last loss": "" if trained.loss is None else f"{trained.loss:.3f}",
            }
        )
    return LossTable(rows, test.name, f"{recipe}, {run.steps} updates of {run.batch}, seed {run.seed}")


def train_once(root: str, run: Run, data: Path, device: str = "") -> "TrainingResult":
    """The result of a run on this data; its folder in the root is a digest of both, so that it is trained once."""
    from trainer.train import train as train_run

    log.info("%s: train %d updates", run.loss, run.steps)
    return train_run(
        run, data, Path(root).absolute() / "trainings" / digest(data.stem, folder_text(run)), device=device
    )
