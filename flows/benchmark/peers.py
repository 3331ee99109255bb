"""Other methods that find wrong labels, beside the pipeline on one drawn world: time, memory and F1 of each.

The others: cosines to the centre of each identity, DBSCAN within each (scikit-learn), confident learning on cosines to
the identities' centres (cleanlab), and nearest neighbours among all photos with connected components (faiss). Each of
them gets the setting with the best F1 on a tenth of the identities, which takes the truth; on real data nobody has it.
Each method runs in a process of its own. The pipeline runs twice: all stages, and calibration and clusters alone, which
answer the same question as DBSCAN: which photos of an identity show its person.
"""

import logging
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from flows.benchmark.drawn.label_quality import WRONG_KINDS, scored_photos, stopped_and_lost
from flows.benchmark.noise import only_table
from flows.benchmark.peer_methods import SETTINGS, Data
from flows.benchmark.speed.measured_process import run_in_own_process
from flows.cli.options import NONE_GIVEN, DaskWorkers, Only, Root
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from pipeline.errors import UserError
from pipeline.noise import stages
from pipeline.noise.calibration import CALIBRATION, calibration_shard, read_calibration
from pipeline.noise.clusters import ABSORB_FAR, CLUSTERS, FALSE_LINKS, cluster_shard
from pipeline.noise.copies import COPIES
from pipeline.noise.policy import Rates
from pipeline.noise.scores.score_norm import impostor_stats
from pipeline.refined.labels import label
from pipeline.refined.scoring.score import Rate, stopped_rate
from pipeline.tables.build import Workers, build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Shard, Table, read_shard

log = logging.getLogger("refinery")
Mask = NDArray[np.bool_]
Kinds = NDArray[np.str_]
TUNED = 10  # a peer's setting is chosen on one identity in ten


@dataclass(frozen=True)
class PeerComparison(Result):
    """Setting, time, memory and F1 of each method."""

    methods: list[dict[str, Any]]
    photos: int

    def rows(self) -> list[dict[str, Any]]:
        """One row for each method, the pipeline first."""
        return self.methods

    def lines(self) -> list[str]:
        """How the columns are counted."""
        return [
            f"{self.photos} photos; a wrong label counts as found when its photo is removed or moved to its person",
            "seconds include reading the embeddings; no peer looks for duplicates or persons under two identities",
        ]


def peers(root: Root, workers: DaskWorkers = "", only: Only = NONE_GIVEN) -> PeerComparison:
    """Measure the pipeline beside DBSCAN, cleanlab, and faiss with connected components on a `benchmark world`."""
    parse_workers(workers)
    methods = [m for m in (*OURS, *SETTINGS) if not only or m in only]
    if not methods:
        raise UserError(f"--only {' --only '.join(only)}: give some of {', '.join([*OURS, *SETTINGS])}")
    kind = _kinds(only_table(root, "truth"))
    rows = []
    for method in methods:
        cpu_before = _children_cpu_seconds()
        (setting, rate, seconds), _, peak_gb = run_in_own_process(_run_method, method, root, workers, kind)
        rows.append(
            {
                "method": method,
                "setting": setting,
                "seconds": f"{seconds:.1f}",
                "CPU seconds": f"{_children_cpu_seconds() - cpu_before:.1f}",
                "peak GB": f"{peak_gb:.2f}",
                "F1": f"{rate.f1:.4f}",
                "precision": f"{rate.precision:.4f}",
                "recall": f"{rate.recall:.4f}",
            }
        )
        log.info("%s: F1 %.4f in %.1f s", method, rate.f1, seconds)
    return PeerComparison(rows, len(kind))


def _children_cpu_seconds() -> float:
    """Seconds of CPU of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _kinds(truth: Table) -> Kinds:
    """The kind of each photo of a drawn world [n]."""
    return np.concatenate([np.array(t["kind"].to_pylist(), "U9") for t in truth.batches(["kind"])])


def _run_method(method: str, root: str, workers: str, kind: Kinds) -> tuple[str, Rate, float]:
    """A method's setting ("" for the pipeline), its precision and recall of wrong labels, and its seconds."""
    start, setting = time.monotonic(), ""
    if method in OURS:
        with tempfile.TemporaryDirectory(dir=Path(root).parent) as folder:
            for name in ("photos", "faces", "embeddings"):
                Path(folder, name).symlink_to(Path(root, name).absolute())
            stopped, lost = OURS[method](folder, only_table(root, "truth"), parse_workers(workers))
            seconds = time.monotonic() - start
    else:
        data = _read(root)
        reading_s, (run, settings) = time.monotonic() - start, SETTINGS[method]
        in_part = data.identity % TUNED == 0
        part = Data(data.x[in_part], np.unique(data.identity[in_part], return_inverse=True)[1])

        def f1_on_part(setting: float) -> float:
            removed = ~run(part, setting)
            return _rate(removed, removed, kind[in_part]).f1

        best = max(settings, key=f1_on_part)
        start = time.monotonic()
        stopped = lost = ~run(data, best)
        seconds, setting = reading_s + time.monotonic() - start, f"{best:g}"
    return setting, _rate(stopped, lost, kind), seconds


def _rate(stopped: Mask, lost: Mask, kind: Kinds) -> Rate:
    """Precision and recall of the wrong labels among the photos stopped; lost: photos removed, duplicates aside."""
    return stopped_rate(stopped, lost, np.isin(kind, WRONG_KINDS), kind == "clean")


def _read(root: str) -> Data:
    """The embeddings of a drawn world, and the number of each photo's identity."""
    x, names = [], []
    for rows in only_table(root, "embeddings").batches(["identity", "x"]):
        x.append(vectors(rows["x"])[0].astype(np.float32))
        names += rows["identity"].to_pylist()
    return Data(np.concatenate(x), np.unique(names, return_inverse=True)[1])


def _all_stages(root: str, truth: Table, workers: Workers) -> tuple[Mask, Mask]:
    """All stages from the embeddings on: photos stopped, and photos lost (see stopped_and_lost)."""
    photos, faces, embeddings = (only_table(root, name) for name in ("photos", "faces", "embeddings"))
    noise = stages.find_noise(root, faces, [embeddings], workers=workers)
    labels = label(root, photos, noise, undecided="keep", min_faces=2, workers=workers).labels
    return stopped_and_lost(scored_photos(labels, truth))


def _clusters_alone(root: str, _: Table, workers: Workers) -> tuple[Mask, Mask]:
    """Calibration and clusters alone: photos outside their identity's first cluster count as stopped and as lost."""
    embeddings = only_table(root, "embeddings")
    views = [(shard,) for shard in embeddings.shards]
    make = partial(build, root, workers=workers, unhashed={"root": root})
    calibration = make("calibration", calibration_shard, [(embeddings.shards,)], schema=CALIBRATION)
    model = calibration.shards[0]
    copies = make("copies", no_copies_shard, embeddings.shards, schema=COPIES, params={"calibration": model})
    clusters = make(
        "clusters",
        cluster_shard,
        list(zip(views, copies.shards, strict=True)),
        schema=CLUSTERS,
        params={"calibration": model, "link": FALSE_LINKS, "join": Rates().outlier, "absorb": ABSORB_FAR},
    )
    removed = clusters.read(["cluster"])["cluster"].fill_null(-1).to_numpy() != 0
    return removed, removed


def no_copies_shard(part: Shard, *, root: str, calibration: Shard) -> pa.Table:
    """A shard of the table copies as the clusters read it, with no photo a duplicate; part: its embeddings."""
    (impostors,) = read_calibration(root, calibration).impostors
    rows = read_shard(root, part, ["face_id", "identity", "x"])
    x, has_embedding = vectors(rows["x"])
    _, mean, deviation = impostor_stats(x, impostors)
    columns = {
        "face_id": rows["face_id"],
        "identity": rows["identity"],
        "mean": pa.array(mean, mask=~has_embedding),
        "deviation": pa.array(deviation, mask=~has_embedding),
    }
    return pa.table([columns.get(f.name, pa.nulls(len(x), f.type)) for f in COPIES], schema=COPIES)


OURS: dict[str, Callable[[str, Table, Workers], tuple[Mask, Mask]]] = {
    "refinery": _all_stages,
    "clusters": _clusters_alone,
}
