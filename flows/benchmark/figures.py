"""The ArcFace paper's pictures in kind (Figures 3, 4, 6, 7, 8 and Table 3), of models trained on one refinement."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from flows.benchmark.training import fitted
from flows.cli.options import (
    NONE_GIVEN,
    Backbone,
    Batch,
    Detector,
    Device,
    LearningRate,
    OutFolder,
    Recipe,
    Root,
    Seed,
    Settings,
    Steps,
    TestSets,
)
from flows.cli.result import Result
from flows.evaluate.pair_sets import one_test_set, prepare
from flows.refine.models import load_embedder
from flows.train.run_options import RunOptions, run_of
from flows.train.training_sets import manifest
from pipeline.errors import UserError
from pipeline.faces.packs import find_model
from pipeline.faces.protocols import FaceEmbedder
from pipeline.refinement import latest
from pipeline.report.charts.drawing import (
    BLUE,
    DASHES,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    YELLOW,
    Chart,
    axes,
    write_charts,
)
from trainer.evaluation.angles import Angles, angle_histogram, angles
from trainer.evaluation.identification import identify
from trainer.evaluation.verification import verify
from trainer.run import Run

log = logging.getLogger("refinery")
TABLE = ("norm_softmax", "arcface", "norm_softmax+intra", "norm_softmax+inter", "triplet")  # Table 3's rows
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY, SKY, YELLOW)
TOY_PEOPLE, TOY_STEPS = 8, 300
Margin = tuple[float, float, float]
CURVES: dict[str, Margin] = {
    "softmax": (1, 0, 0),
    "SphereFace": (1.35, 0, 0),
    "ArcFace": (1, 0.5, 0),
    "CosFace": (1, 0, 0.35),
    "CM1": (1, 0.3, 0.2),
    "CM2": (0.9, 0.4, 0.15),
}
BATCH = 64
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class PaperFigures(Result):
    """Table 3's angles, and where the pictures are."""

    table: list[dict[str, Any]]
    files: list[str]
    what: str

    def rows(self) -> list[dict[str, Any]]:
        """A line a loss."""
        return self.table

    def lines(self) -> list[str]:
        """How to read the table, and the pictures."""
        return [
            "mean angles in degrees; 1: training, 2: test set",
            "W-EC: a class's weight to the centre of its faces; W-Inter: to the nearest other weight",
            "Intra: a face to its centre; Inter: a centre to the nearest other",
            self.what,
            *self.files,
        ]


def figures(
    root: Root,
    out: OutFolder,
    test_set: TestSets = NONE_GIVEN,
    recipe: Recipe = "sample",
    detector: Detector = "",
    device: Device = "",
    backbone: Backbone = "",
    steps: Steps = None,
    batch: Batch = None,
    lr: LearningRate = None,
    seed: Seed = 0,
    settings: Settings = NONE_GIVEN,
) -> PaperFigures:
    """Draw the ArcFace paper's figures 3, 4, 6, 7 and 8 and its table 3 for models trained on refined data."""
    run = run_of(recipe, RunOptions(backbone, "", steps, batch, lr, seed, settings))
    done = latest(root)
    data = manifest(root, done.labels, done.faces)
    test = prepare(root, one_test_set(test_set), detector=find_model(detector, "detector") if detector else "")
    seen, unseen = _faces(data), _test(test.folder)
    vectors: dict[str, Rows] = {}
    table: list[dict[str, Any]] = []
    for name in TABLE:
        model = fitted(root, replace(run, loss=name), data, device)
        embedder, weights = load_embedder(str(model.checkpoint)), _weights(model.checkpoint)
        vectors[name] = _embedded(embedder, unseen[0])
        table.append(
            _row(name, angles(_embedded(embedder, seen[0]), seen[1], weights), angles(vectors[name], unseen[1]))
        )
    toys = {name: _toy(root, run, name, seen, device) for name in ("norm_softmax", "arcface")}
    made = [
        *(_circle(name, *toy) for name, toy in toys.items()),
        _target_logits(),
        _angles("figure_6", "Angles of pairs of one person and of two", vectors, unseen[1], TABLE[:2]),
        _angles("figure_7", "The same with a triplet loss", vectors, unseen[1], ("triplet", "arcface")),
        *_told_apart(vectors, unseen[1]),
    ]
    write_charts(made, out)
    what = (
        f"{recipe}, {run.steps} updates of {run.batch}, seed {run.seed}; {len(seen[1])} photos of {seen[1].max() + 1}"
    )
    return PaperFigures(
        table,
        [f"{chart.title}: {out / chart.name}.png" for chart in made],
        f"{what} people, tested on {len(unseen[1])} of {unseen[1].max() + 1}",
    )


def _row(name: str, own: Angles, other: Angles) -> dict[str, Any]:
    degrees = {
        "W-EC": own.w_ec,
        "W-Inter": own.w_inter,
        "Intra1": own.intra,
        "Inter1": own.inter,
        "Intra2": other.intra,
        "Inter2": other.inter,
    }
    return {"loss": name, **{k: "" if np.isnan(v) else f"{v:.2f}" for k, v in degrees.items()}}


def _faces(data: Path) -> tuple[list[bytes], NDArray[np.int64]]:
    """The pictures and labels of a refined table, for small data sets."""
    from trainer.data.shards import open_faces

    faces = open_faces(data)
    chunks = [faces.read(i) for i in range(len(faces.rows))]
    return [j for c in chunks for j in c.jpeg], np.concatenate([c.label for c in chunks])


def _test(folder: Path) -> tuple[list[bytes], NDArray[np.int64]]:
    """The pictures of people with two photos or more in a test set, and numbers for the people."""
    rows = pq.read_table(folder / "faces.parquet", columns=["jpeg", "identity"])
    rows = rows.filter(rows["jpeg"].is_valid()).filter(rows.filter(rows["jpeg"].is_valid())["identity"].is_valid())
    names, codes, count = np.unique(rows["identity"].to_pylist(), return_inverse=True, return_counts=True)
    several = count[codes] > 1
    if len(names[count > 1]) < 2:
        raise UserError(f"{folder} names {len(names)} people, fewer than two with two photos: give a folder of people")
    jpegs = [j for j, s in zip(rows["jpeg"].to_pylist(), several, strict=True) if s]
    return jpegs, np.unique(codes[several], return_inverse=True)[1].astype(np.int64)


def _embedded(embedder: FaceEmbedder, jpegs: Sequence[bytes]) -> Rows:
    """Unit vectors [n, d] of pictures."""
    parts = []
    for start in range(0, len(jpegs), BATCH):
        some = [cv2.imdecode(np.frombuffer(j, np.uint8), cv2.IMREAD_COLOR) for j in jpegs[start : start + BATCH]]
        parts.append(embedder(np.stack(some)))
    x = np.concatenate(parts)
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), np.float32)


def _weights(file: Path) -> Rows | None:
    """A checkpoint's class weights [c, d], or None where the loss has none of that shape."""
    from trainer.checkpoint import load

    weight = load(file).objective.get("weight")
    return None if weight is None or weight.ndim != 2 else np.asarray(weight.float().numpy(), np.float32)


def _toy(
    root: str, run: Run, loss: str, seen: tuple[list[bytes], NDArray[np.int64]], device: str
) -> tuple[Rows, NDArray[np.int64], Rows | None]:
    """Vectors of two numbers of eight people's photos, from a network that was trained on these alone; and weights."""
    jpegs, label = seen
    people = np.argsort(-np.bincount(label), kind="stable")[:TOY_PEOPLE]
    if len(people) < TOY_PEOPLE:
        raise UserError(f"the refined data hold {len(people)} people: Figure 3 takes {TOY_PEOPLE}")
    rows = np.flatnonzero(np.isin(label, people))
    own = np.argsort(np.argsort(people))[np.searchsorted(np.sort(people), label[rows])]
    some = [jpegs[i] for i in rows]
    folder = Path(root).absolute() / "trainings" / "toy"
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"label": pa.array(own, pa.int64()), "jpeg": pa.array(some, pa.binary()), "key": [str(i) for i in rows]}
    pq.write_table(pa.table(columns), folder / "part-00000.parquet")
    toy = replace(run, loss=loss, embedding=2, steps=TOY_STEPS, augment=0.0)
    model = fitted(root, toy, folder, device)
    return _embedded(load_embedder(str(model.checkpoint)), some), own, _weights(model.checkpoint)


def _circle(loss: str, x: Rows, label: NDArray[np.int64], weights: Rows | None) -> Chart:
    figure, axis = axes((4.2, 4.2))
    for p in range(TOY_PEOPLE):
        mine = x[label == p]
        axis.plot(*(mine * (1 + 0.04 * (p % 2))).T, "os^DvP*X"[p], color=COLOURS[p], markersize=4, alpha=0.7)
        if weights is not None:
            line = weights[p] / np.linalg.norm(weights[p])
            axis.plot([0, line[0]], [0, line[1]], color=COLOURS[p], linewidth=1.2)
    axis.set_aspect("equal")
    axis.set_axis_off()
    found = angles(x, label)
    words = f"{TOY_PEOPLE} people on a circle: {found.intra:.1f} degrees from their centres, {found.inter:.1f} between"
    return Chart(f"figure_3_{loss}", f"Figure 3 in kind, {loss}", words, figure)


def _target_logits() -> Chart:
    from trainer.losses.margins import target_logits  # torch takes seconds to load

    figure, axis = axes()
    degrees = np.linspace(0, 180, 361)
    for (name, margin), colour, dash in zip(CURVES.items(), COLOURS, DASHES * 2, strict=False):
        axis.plot(degrees, target_logits(degrees, margin), dash, color=colour, label=f"{name} {margin}")
    axis.set(xlabel="angle between a face and its class's weight, degrees", ylabel="target logit")
    axis.legend(frameon=False, fontsize=8)
    words = "cos(m1 t + m2) - m3 for (m1, m2, m3) of each loss; all lie below the softmax's cosine."
    return Chart("figure_4", "Figure 4: target logits", words, figure)


def _angles(
    name: str, title: str, vectors: Mapping[str, Rows], label: NDArray[np.int64], losses: Sequence[str]
) -> Chart:
    figure, axis = axes()
    told = []
    for loss, dash in zip(losses, ("--", "-"), strict=True):
        edges, same, other = angle_histogram(vectors[loss], label, bins=90)
        for counts, colour, what in ((same, BLUE, "one person"), (other, RED, "two people")):
            axis.stairs(counts / max(1, counts.sum()), edges, color=colour, linestyle=dash, label=f"{what}, {loss}")
        middle = (edges[:-1] + edges[1:]) / 2
        told.append(
            f"{loss}: {middle @ same / same.sum():.1f} and {middle @ other / other.sum():.1f} degrees on average"
        )
    axis.set(xlabel="angle between two faces, degrees", ylabel="share of pairs")
    axis.legend(frameon=False, fontsize=8)
    return Chart(name, f"{name.replace('_', ' ').capitalize()} in kind: {title}", "; ".join(told), figure)


def _told_apart(vectors: Mapping[str, Rows], label: NDArray[np.int64]) -> Iterator[Chart]:
    """CMC, half of the people being the other half's distractors, and ROC of all pairs."""
    cmc, one = axes()
    roc, two = axes()
    probes = label % 2 == 0
    i, j = np.triu_indices(len(label), 1)
    for (loss, x), colour, dash in zip(vectors.items(), COLOURS, DASHES * 2, strict=False):
        found = identify(x[probes], label[probes], [x[~probes]])
        one.plot(range(1, 21), found.cmc(found.sizes[-1])[:20], dash, color=colour, label=loss)
        curve = verify(np.einsum("nd,nd->n", x[i], x[j]), label[i] == label[j], np.zeros(len(i), int), samples=0).roc
        there = curve.far > 0
        two.plot(curve.far[there], curve.tar[there], dash, color=colour, label=loss)
    one.set(
        xticks=[1, 5, 10, 15, 20], xlabel=f"rank among {int((~probes).sum())} strangers", ylabel="share of mates found"
    )
    two.set(xscale="log", xlabel="false accept rate", ylabel="true accept rate")
    for axis in (one, two):
        axis.legend(frameon=False, fontsize=8)
    yield Chart("figure_8_cmc", "Figure 8 in kind: CMC", "Mates found up to each rank, by loss.", cmc)
    yield Chart("figure_8_roc", "Figure 8 in kind: ROC", "True by false accept rates, by loss.", roc)
