"""What else one would try on noisy names, on one drawn world: time, memory and F1 of each beside the pipeline.

DBSCAN within each name (scikit-learn), confident learning on the likeness to the names' centres (cleanlab), and
neighbours across all names with connected components (faiss). Each peer is given what it cannot have: the one of its
settings that is best by the truth on a tenth of the names. Each runs in a process of its own.
"""

import logging
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from flows.alone import alone
from flows.benchmark_noise import only, owners
from flows.take import Root, parse_workers
from pipeline.errors import UserError
from pipeline.noise import stages
from pipeline.noise.columns import vectors
from pipeline.noise.neighbours import by_lists, nearest
from pipeline.refined.labels import label
from pipeline.table import Table

log = logging.getLogger("refinery")
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]
WRONG = ("stranger", "flip", "companion")
TUNED = 10  # one name in so many is what a peer's setting is chosen on
NEIGHBOURS, EXACT, LISTS, PROBES = (
    20,
    200_000,
    4,
    32,
)  # of a photo; photos searched exactly; beyond, of an inverted file
BATCH = 4096  # photos whose probabilities of all names are held at once


class Data(NamedTuple):
    """Unit vectors [n, d] and the number of each photo's name [n]; photos of a name lie together."""

    x: NDArray[np.float32]
    name: Ints


@dataclass(frozen=True)
class Peers:
    """A line a method."""

    methods: list[dict[str, Any]]
    photos: int

    def rows(self) -> list[dict[str, Any]]:
        """The methods, the pipeline first."""
        return self.methods

    def lines(self) -> list[str]:
        """What was counted."""
        return [f"{self.photos} photos; a wrong label counts as found when the photo goes, or comes to its own person",
                "reading the vectors counts; copies and persons under two names are no peer's question"]  # fmt: skip


def peers(
    root: Root,
    workers: Annotated[str, typer.Option(help="Processes of the pipeline; default: threads.")] = "",
    only_these: Annotated[str, typer.Option("--only", help="Methods by name, with commas between.")] = "",
) -> Peers:
    """The pipeline beside DBSCAN, cleanlab, and faiss with connected components, on a world of `benchmark world`."""
    parse_workers(workers)
    methods = [m for m in ("refinery", *SETTINGS) if not only_these or m in only_these.split(",")]
    if not methods:
        raise UserError(f"--only {only_these}: give some of refinery, {', '.join(SETTINGS)}")
    kind = _kinds(only(root, "truth"))
    found = []
    for method in methods:
        before = _cpu()
        (setting, stopped, lost, seconds), _, peak = alone(_judged, method, root, workers, kind)
        precision, recall = stopped / max(1, stopped + lost), stopped / max(1, int(np.isin(kind, WRONG).sum()))
        f1 = 2 * precision * recall / max(1e-12, precision + recall)
        found.append({"method": method, "setting": setting, "seconds": f"{seconds:.1f}",
                      "CPU seconds": f"{_cpu() - before:.1f}", "peak GB": f"{peak:.2f}", "F1": f"{f1:.4f}",
                      "precision": f"{precision:.4f}", "recall": f"{recall:.4f}"})  # fmt: skip
        log.info("%s: F1 %.4f in %.1f s", method, f1, seconds)
    return Peers(found, len(kind))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _kinds(truth: Table) -> NDArray[np.str_]:
    return np.concatenate([np.array(t["kind"].to_pylist(), "U9") for t in truth.batches(["kind"])])


def _judged(method: str, root: str, workers: str, kind: NDArray[np.str_]) -> tuple[str, int, int, float]:
    """The setting, wrong labels that were found, clean photos lost, and seconds."""
    start, setting = time.monotonic(), ""
    wrong = np.isin(kind, WRONG)
    if method == "refinery":
        gone, lost = _refinery(root, workers)
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
    found, lost = int((gone & np.isin(kind, WRONG)).sum()), int((gone & (kind == "clean")).sum())
    return 2 * found / max(1, found + lost + int(np.isin(kind, WRONG).sum()))


def _read(root: str) -> Data:
    x, names = [], []
    for rows in only(root, "embeddings").batches(["identity", "x"]):
        x.append(vectors(rows["x"])[0].astype(np.float32))
        names += rows["identity"].to_pylist()
    return Data(np.concatenate(x), np.unique(names, return_inverse=True)[1])


def _refinery(root: str, workers: str) -> tuple[Mask, Mask]:
    """Photos that go or come to their own person, and photos that go and are no copies; all stages from the vectors."""
    with tempfile.TemporaryDirectory(dir=Path(root).parent) as folder:
        for name in ("photos", "faces", "embeddings"):
            Path(folder, name).symlink_to(Path(root, name).absolute())
        photos, faces, embeddings = (only(folder, name) for name in ("photos", "faces", "embeddings"))
        noise = stages.find(folder, faces, [embeddings], workers=parse_workers(workers))
        made = label(folder, photos, noise, undecided="keep", min_faces=2, workers=parse_workers(workers))
        labels, truth = made.tables["labels"], only(root, "truth")
        owner = owners(labels, truth)
        gone, lost = [], []
        for said, true in zip(labels.batches(["identity", "reason"]), truth.batches(["person"]), strict=True):
            away = np.asarray(said["identity"].is_null())
            whose = [owner.get(n, -1) for n in said["identity"].to_pylist()]
            gone.append(away | (np.array(whose, np.int64) == true["person"].to_numpy()))
            lost.append(away & (np.array(said["reason"].to_pylist(), "U9") != "duplicate"))
        return np.concatenate(gone), np.concatenate(lost)


def _runs(name: Ints) -> Iterator[slice]:
    edges = np.flatnonzero(np.diff(name, prepend=-1, append=-1))
    yield from (slice(a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _dbscan(data: Data, eps: float) -> Mask:
    """Of each name the largest cluster stays; all of a name without one."""
    from sklearn.cluster import DBSCAN  # a second to load, for this alone

    stays = np.ones(len(data.name), bool)
    for of_name in _runs(data.name):
        group = DBSCAN(eps=eps, min_samples=2, metric="cosine").fit_predict(data.x[of_name])
        if (group >= 0).any():
            stays[of_name] = group == np.bincount(group[group >= 0]).argmax()
    return stays


def _cleanlab(data: Data, scale: float) -> Mask:
    """What confident learning has no issue with: probabilities are a softmax of the cosines to the names' centres.

    A photo's own name is judged by the mean of its other photos, as if it had been left out of the training.
    """
    try:
        from cleanlab.experimental.label_issues_batched import LabelInspector
    except ImportError:
        raise UserError("cleanlab is not installed: pip install 'face-refinery[peers]', or --only others") from None
    sums = np.zeros((data.name.max() + 1, data.x.shape[1]), np.float32)
    for of_name in _runs(data.name):
        sums[data.name[of_name.start]] = data.x[of_name].sum(0)
    centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)

    def probabilities(at: slice) -> NDArray[np.float32]:
        x, name = data.x[at], data.name[at]
        others = sums[name] - x
        own = np.einsum("nd,nd->n", x, others) / np.maximum(np.linalg.norm(others, axis=1), 1e-9)
        p = x @ centres.T
        p[np.arange(len(x)), name] = own
        p -= p.max(1, keepdims=True)
        np.exp(np.float32(scale) * p, out=p)
        return np.asarray(p / p.sum(1, keepdims=True))

    inspector = LabelInspector(num_class=len(centres), verbose=False, n_jobs=1)
    batches = [slice(at, at + BATCH) for at in range(0, len(data.x), BATCH)]
    for at in batches:
        inspector.update_confident_thresholds(data.name[at], probabilities(at))
    for at in batches:
        inspector.score_label_quality(data.name[at], probabilities(at))
    stays = np.ones(len(data.name), bool)
    stays[inspector.get_label_issues()] = False
    return stays


def _neighbours(data: Data, least: float) -> Mask:
    """Photos whose cosine reaches `least` are one; of each name its largest component stays."""
    n = len(data.name)
    lists = LISTS * int(n**0.5) if n > EXACT else 0
    cosines, rows = by_lists(data.x, NEIGHBOURS, lists, PROBES) if lists else nearest(data.x, data.x, NEIGHBOURS)
    near = (cosines >= least) & (rows >= 0)
    one, two = np.repeat(np.arange(n), near.sum(1)), rows[near]
    component = connected_components(coo_matrix((np.ones(len(one), bool), (one, two)), shape=(n, n)))[1]
    stays = np.zeros(n, bool)
    for of_name in _runs(data.name):
        values, counts = np.unique(component[of_name], return_counts=True)
        stays[of_name] = component[of_name] == values[counts.argmax()]
    return stays


SETTINGS: dict[str, tuple[Callable[[Data, float], Mask], tuple[float, ...]]] = {
    "dbscan": (_dbscan, (0.3, 0.4, 0.5, 0.6, 0.7)),  # eps, a cosine distance
    "cleanlab": (_cleanlab, (32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)),  # of the softmax
    "neighbours": (_neighbours, (0.3, 0.4, 0.5, 0.6, 0.7)),  # cosine
}
