"""The charts of the ArcFace paper (Figures 3, 4, 6, 7 and 8), drawn for models trained with several losses.

Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition" (CVPR 2019).
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from flows.benchmark.paper.labelled_faces import Labels, Rows, ToyModel
from pipeline.report.charts import drawing
from pipeline.report.charts.drawing import BLUE, DASHES, GREEN, GREY, ORANGE, PURPLE, RED, SKY, YELLOW, Chart
from trainer.evaluation.angles import angle_histogram, mean_angles
from trainer.evaluation.identification import identify
from trainer.evaluation.verification import verify

COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY, SKY, YELLOW)
MARKERS = "os^DvP*X"
Margin = tuple[float, float, float]  # m1, m2, m3 of cos(m1 t + m2) - m3
MARGINS: dict[str, Margin] = {
    "softmax": (1, 0, 0),
    "SphereFace": (1.35, 0, 0),
    "ArcFace": (1, 0.5, 0),
    "CosFace": (1, 0, 0.35),
    "CM1": (1, 0.3, 0.2),
    "CM2": (0.9, 0.4, 0.15),
}


def toy_chart(loss: str, toy: ToyModel) -> Chart:
    """Figure 3: embeddings of a few people on a circle, and their class weights."""
    figure, axis = drawing.axes((4.2, 4.2))
    people = int(toy.label.max()) + 1
    for person in range(people):
        x, marker = toy.x[toy.label == person], MARKERS[person % len(MARKERS)]
        on_ring = x * (1 + 0.04 * (person % 2))  # neighbours on two rings, so that they do not hide each other
        axis.plot(*on_ring.T, marker, color=COLOURS[person], markersize=4, alpha=0.7)
        if toy.weights is not None:
            line = toy.weights[person] / np.linalg.norm(toy.weights[person])
            axis.plot([0, line[0]], [0, line[1]], color=COLOURS[person], linewidth=1.2)
    axis.set_aspect("equal")
    axis.set_axis_off()
    mean = mean_angles(toy.x, toy.label)
    words = f"{people} people on a circle: {mean.intra:.1f} degrees from their centres, {mean.inter:.1f} between"
    return Chart(f"figure_3_{loss}", f"Figure 3 in kind, {loss}", words, figure)


def target_logits_chart() -> Chart:
    """Figure 4: the target logit of each margin by the angle between a face and its class's weight."""
    from trainer.losses.margins import target_logits  # torch takes seconds to load

    figure, axis = drawing.axes()
    degrees = np.linspace(0, 180, 361)
    for (name, margin), colour, dash in zip(MARGINS.items(), COLOURS, DASHES * 2, strict=False):
        axis.plot(degrees, target_logits(degrees, margin), dash, color=colour, label=f"{name} {margin}")
    axis.set(xlabel="angle between a face and its class's weight, degrees", ylabel="target logit")
    axis.legend(frameon=False, fontsize=8)
    words = "cos(m1 t + m2) - m3 for (m1, m2, m3) of each loss; all lie below the softmax's cosine."
    return Chart("figure_4", "Figure 4: target logits", words, figure)


def pair_angles_chart(
    name: str, title: str, embeddings: Mapping[str, Rows], label: Labels, losses: Sequence[str]
) -> Chart:
    """Figures 6 and 7: the angles of genuine and of impostor pairs under two losses."""
    figure, axis = drawing.axes()
    means = []
    for loss, dash in zip(losses, ("--", "-"), strict=True):
        edges, genuine, impostor = angle_histogram(embeddings[loss], label, bins=90)
        for counts, colour, kind in ((genuine, BLUE, "genuine"), (impostor, RED, "impostor")):
            axis.stairs(counts / max(1, counts.sum()), edges, color=colour, linestyle=dash, label=f"{kind}, {loss}")
        middle = (edges[:-1] + edges[1:]) / 2
        mean_genuine, mean_impostor = (middle @ counts / counts.sum() for counts in (genuine, impostor))
        means.append(f"{loss}: {mean_genuine:.1f} and {mean_impostor:.1f} degrees on average")
    axis.set(xlabel="angle between two faces, degrees", ylabel="share of pairs")
    axis.legend(frameon=False, fontsize=8)
    return Chart(name, f"{name.replace('_', ' ').capitalize()} in kind: {title}", "; ".join(means), figure)


def recognition_charts(embeddings: Mapping[str, Rows], label: Labels) -> Iterator[Chart]:
    """Figure 8: CMC and ROC of each loss. The CMC takes half of the people as distractors; the ROC takes all pairs."""
    (cmc, cmc_axis), (roc, roc_axis) = drawing.axes(), drawing.axes()
    probes = label % 2 == 0
    for (loss, x), colour, dash in zip(embeddings.items(), COLOURS, DASHES * 2, strict=False):
        identified = identify(x[probes], label[probes], [x[~probes]])
        cmc_axis.plot(range(1, 21), identified.cmc(identified.sizes[-1])[:20], dash, color=colour, label=loss)
        far, tar = _roc(x, label)
        roc_axis.plot(far, tar, dash, color=colour, label=loss)
    ranks = f"rank among {int((~probes).sum())} distractors"
    cmc_axis.set(xticks=[1, 5, 10, 15, 20], xlabel=ranks, ylabel="share of mates found")
    drawing.log_scale(roc_axis)
    roc_axis.set(xlabel="false accept rate", ylabel="true accept rate")
    for axis in (cmc_axis, roc_axis):
        axis.legend(frameon=False, fontsize=8)
    yield Chart("figure_8_cmc", "Figure 8 in kind: CMC", "Share of mates found up to each rank, for each loss.", cmc)
    yield Chart("figure_8_roc", "Figure 8 in kind: ROC", "True accept rate by false accept rate, for each loss.", roc)


def _roc(x: Rows, label: Labels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true accept rates of all pairs, at the thresholds that any impostor pair passes."""
    i, j = np.triu_indices(len(label), 1)
    cosines = np.einsum("nd,nd->n", x[i], x[j])
    roc = verify(cosines, label[i] == label[j], np.zeros(len(i), int), samples=0).roc
    passing = roc.far > 0
    return roc.far[passing], roc.tar[passing]
