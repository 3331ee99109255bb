"""What else one would try on noisy names, on one drawn world: time, memory and F1 of each beside the pipeline.

DBSCAN within each name (scikit-learn), confident learning on the likeness to the names' centres (cleanlab), and
neighbours across all names with connected components (faiss). Each peer is given what it cannot have: the one of its
settings that is best by the truth on a tenth of the names. Each runs in a process of its own. DBSCAN's question alone,
who within a name is its person, is asked of the pipeline's clusters as well.
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

from flows.benchmark.drawn.label_quality import WRONG_KINDS, identity_owners
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
from pipeline.tables.build import Workers, build
from pipeline.tables.columns import vectors
from pipeline.tables.table import Shard, Table, read_shard

log = logging.getLogger("refinery")
Mask = NDArray[np.bool_]
TUNED = 10  # one name in so many is what a peer's setting is chosen on


@dataclass(frozen=True)
class PeerComparison(Result):
    """A line a method."""

    methods: list[dict[str, Any]]
    photos: int

    def rows(self) -> list[dict[str, Any]]:
        """The methods, the pipeline first."""
        return self.methods

    def lines(self) -> list[str]:
        """What was counted."""
        return [
            f"{self.photos} photos; a wrong label counts as found when the photo goes, or comes to its own person",
            "reading the vectors counts; copies and persons under two names are no peer's question",
        ]


def peers(root: Root, workers: DaskWorkers = "", only: Only = NONE_GIVEN) -> PeerComparison:
    """The pipeline beside DBSCAN, cleanlab, and faiss with connected components, on a world of `benchmark world`."""
    parse_workers(workers)
    methods = [m for m in (*OURS, *SETTINGS) if not only or m in only]
    if not methods:
        raise UserError(f"--only {' --only '.join(only)}: give some of {', '.join([*OURS, *SETTINGS])}")
    kind = _kinds(only_table(root, "truth"))
    found = []
    for method in methods:
        before = _cpu()
        (setting, stopped, lost, seconds), _, peak = run_in_own_process(_judged, method, root, workers, kind)
        precision, recall = stopped / max(1, stopped + lost), stopped / max(1, int(np.isin(kind, WRONG_KINDS).sum()))
        f1 = 2 * precision * recall / max(1e-12, precision + recall)
        found.append(
            {
                "method": method,
                "setting": setting,
                "seconds": f"{seconds:.1f}",
                "CPU seconds": f"{_cpu() - before:.1f}",
                "peak GB": f"{peak:.2f}",
                "F1": f"{f1:.4f}",
                "precision": f"{precision:.4f}",
                "recall": f"{recall:.4f}",
            }
        )
        log.info("%s: F1 %.4f in %.1f s", method, f1, seconds)
    return PeerComparison(found, len(kind))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _kinds(truth: Table) -> NDArray[np.str_]:
    return np.concatenate([np.array(t["kind"].to_pylist(), "U9") for t in truth.batches(["kind"])])


def _judged(method: str, root: str, workers: str, kind: NDArray[np.str_]) -> tuple[str, int, int, float]:
    """The setting, wrong labels that were found, clean photos lost, and seconds."""
    start, setting = time.monotonic(), ""
    wrong = np.isin(kind, WRONG_KINDS)
    if method in OURS:
        with tempfile.TemporaryDirectory(dir=Path(root).parent) as folder:
            for name in ("photos", "faces", "embeddings"):
                Path(folder, name).symlink_to(Path(root, name).absolute())
            gone, lost = OURS[method](folder, only_table(root, "truth"), parse_workers(workers))
            seconds = time.monotonic() - start
    else:
        data = _read(root)
        read, (run, settings) = time.monotonic() - start, SETTINGS[method]
        part = data.name % TUNED == 0
        few = Data(data.x[part], np.unique(data.name[part], return_inverse=True)[1])
        best = max(settings, key=lambda s: _f1(~run(few, s), kind[part]))
        start = time.monotonic()
        gone = lost = ~run(data, best)
        seconds, setting = read + time.monotonic() - start, f"{best:g}"
    return setting, int((gone & wrong).sum()), int((lost & (kind == "clean")).sum()), seconds


def _f1(gone: Mask, kind: NDArray[np.str_]) -> float:
    found, lost = int((gone & np.isin(kind, WRONG_KINDS)).sum()), int((gone & (kind == "clean")).sum())
    return 2 * found / max(1, found + lost + int(np.isin(kind, WRONG_KINDS).sum()))


def _read(root: str) -> Data:
    x, names = [], []
    for rows in only_table(root, "embeddings").batches(["identity", "x"]):
        x.append(vectors(rows["x"])[0].astype(np.float32))
        names += rows["identity"].to_pylist()
    return Data(np.concatenate(x), np.unique(names, return_inverse=True)[1])


def _refinery(root: str, truth: Table, workers: Workers) -> tuple[Mask, Mask]:
    """Photos that go or come to their own person, and photos that go and are no copies; all stages from the vectors."""
    photos, faces, embeddings = (only_table(root, name) for name in ("photos", "faces", "embeddings"))
    noise = stages.find_noise(root, faces, [embeddings], workers=workers)
    labels = label(root, photos, noise, undecided="keep", min_faces=2, workers=workers).labels
    owner = identity_owners(labels, truth)
    gone, lost = [], []
    for said, true in zip(labels.batches(["identity", "reason"]), truth.batches(["person"]), strict=True):
        away = np.asarray(said["identity"].is_null())
        whose = [owner.get(n, -1) for n in said["identity"].to_pylist()]
        gone.append(away | (np.array(whose, np.int64) == true["person"].to_numpy()))
        lost.append(away & (np.array(said["reason"].to_pylist(), "U9") != "duplicate"))
    return np.concatenate(gone), np.concatenate(lost)


def _within(root: str, _: Table, workers: Workers) -> tuple[Mask, Mask]:
    """Photos that are not of their name's first cluster: calibration and clusters alone, nothing global, no copies."""
    embeddings = only_table(root, "embeddings")
    views = [(shard,) for shard in embeddings.shards]
    make = partial(build, root, workers=workers, unhashed={"root": root})
    calibration = make("calibration", calibration_shard, [(embeddings.shards,)], schema=CALIBRATION)
    model = calibration.shards[0]
    seen = make("copies", unlike_shard, embeddings.shards, schema=COPIES, params={"calibration": model})
    clusters = make(
        "clusters",
        cluster_shard,
        list(zip(views, seen.shards, strict=True)),
        schema=CLUSTERS,
        params={"calibration": model, "link": FALSE_LINKS, "join": Rates().outlier, "absorb": ABSORB_FAR},
    )
    gone = clusters.read(["cluster"])["cluster"].fill_null(-1).to_numpy() != 0
    return gone, gone


def unlike_shard(part: Shard, *, root: str, calibration: Shard) -> pa.Table:
    """The faces of one shard as the clusters want them, with none held for a copy; part: its embeddings."""
    (view,) = read_calibration(root, calibration).impostors
    rows = read_shard(root, part, ["face_id", "identity", "x"])
    x, there = vectors(rows["x"])
    _, mean, deviation = impostor_stats(x, view)
    against = {"mean": pa.array(mean, mask=~there), "deviation": pa.array(deviation, mask=~there)}
    known = {"face_id": rows["face_id"], "identity": rows["identity"], **against}
    return pa.table([known.get(f.name, pa.nulls(len(there), f.type)) for f in COPIES], schema=COPIES)


OURS: dict[str, Callable[[str, Table, Workers], tuple[Mask, Mask]]] = {"refinery": _refinery, "clusters": _within}
