"""What training on several cards waits for, without a card: exchanges, saved bytes, samples, the index of a .rec.

None of the figures needs a GPU: exchanges and bytes kept for the backward pass are counted by hooks in two processes,
the rest is work of the processor.
"""

import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from flows.cli.options import NONE_GIVEN, Networks, Settings
from flows.cli.result import Result
from flows.train.run_options import RunOptions, with_options
from pipeline.errors import UserError
from pipeline.sources.record_io import codec
from trainer.data.record_index import read_index
from trainer.distributed.class_sample import sample_classes
from trainer.run import NORMS, Run

NETWORKS = ["iresnet50"]
RUN = Run(batch=8, precision="bf16", optimizer="sgd")
CLASSES, RATE, PHOTOS, UPDATES = 1_000_000, 0.1, 512, 5  # of a sample
JPEG = bytes(64)  # of a drawn record
MB = 1e6


@dataclass(frozen=True)
class RankCosts(Result):
    """A row for each measurement."""

    measured: list[dict[str, str]]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each network and norm, for the sample and for the index."""
        return list(self.measured)

    def lines(self) -> list[str]:
        """What the figures are of."""
        return ["an update of two processes joined by gloo; a sample and an index of one process, in CPU seconds"]


def ranks(
    network: Networks = NONE_GIVEN,
    *,
    rec_records: Annotated[int, typer.Option(help="Records of the .rec that is indexed.")] = 1_000_000,
    settings: Settings = NONE_GIVEN,
) -> RankCosts:
    """Count what an update exchanges and keeps on two ranks by norm, and measure sampling and indexing.

    Without --network: iresnet50. The update, unless --set says otherwise: 8 photos over both ranks, SGD in bf16.
    """
    if rec_records < 1:
        raise UserError(f"--rec-records {rec_records}: give 1 or more")
    from trainer.loop.step_costs import two_rank_costs  # torch takes seconds to load

    rows = []
    for name in network or NETWORKS:
        for norm in NORMS:
            run = with_options(replace(RUN, backbone=name, norm=norm), RunOptions(settings=settings))
            costs = two_rank_costs(run)
            figures = f"{costs.exchanges} exchanges, {costs.saved_bytes / MB:.1f} MB kept for each photo"
            rows.append({"measured": f"update of {name}, {costs.norms} norms, norm {norm}", "figures": figures})
    return RankCosts([*rows, _sample_row(), _index_row(rec_records)])


def _sample_row() -> dict[str, str]:
    """How many classes an update samples, and the CPU seconds of a processor for it."""
    random = np.random.default_rng(0)
    sizes = set()
    start = time.process_time()
    for step in range(UPDATES):
        labels = random.integers(0, CLASSES, PHOTOS)
        sizes.add(len(sample_classes(labels, slice(0, CLASSES), classes=CLASSES, rate=RATE, seed=(0, step))))
    seconds = (time.process_time() - start) / UPDATES
    counts = " or ".join(f"{size:,}" for size in sorted(sizes))
    return {
        "measured": f"sample of {RATE:g} of {CLASSES:,} classes",
        "figures": f"{counts} classes, {1000 * seconds:.1f} ms on the host",
    }


def _index_row(records: int) -> dict[str, str]:
    """CPU seconds and memory of the index of a drawn .rec, with its .idx and without."""
    with tempfile.TemporaryDirectory() as folder:
        rec = Path(folder, "train.rec")
        _write_records(rec, records)
        figures = []
        for way in ("with .idx", "without"):
            start = time.process_time()
            read_index(rec)
            microseconds = (time.process_time() - start) / records * 1e6
            bytes_each = _most_bytes(lambda: read_index(rec)) / records
            figures.append(f"{way}: {microseconds:.2f} us and {bytes_each:.1f} bytes a record")
            rec.with_suffix(".idx").unlink(missing_ok=True)
    return {"measured": f"index of a .rec of {records:,} records", "figures": "; ".join(figures)}


def _most_bytes(work: Callable[[], object]) -> int:
    """The most bytes that a function's arrays and objects take at the same time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _write_records(rec: Path, records: int) -> None:
    """A .rec of small pictures with its .idx."""
    start = 0
    with open(rec, "wb") as data, open(rec.with_suffix(".idx"), "w", encoding="utf-8") as listed:
        for i in range(records):
            listed.write(f"{i}\t{start}\n")
            start += data.write(codec.frame(codec.pack(codec.Header((float(i // 50),), i), JPEG)))
