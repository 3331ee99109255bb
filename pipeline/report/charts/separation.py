"""Charts of how well labels separate a sample of faces, as claimed and as refined: angles of pairs, ROC and CMC."""

from collections.abc import Mapping

from pipeline.report.charts.drawing import BLUE, ORANGE, RED, Chart, axes, legend, log_scale
from pipeline.report.separation import DEGREES, Separation


def pair_angles(separations: Mapping[str, Separation]) -> Chart:
    """The histograms of angles of genuine and impostor pairs; separations: by labels, see separation.separations()."""
    figure, axis = axes()
    for (labels, s), dash in zip(separations.items(), ("--", "-"), strict=False):
        for counts, colour, what in ((s.genuine, BLUE, "genuine pairs"), (s.impostor, RED, "impostor pairs")):
            axis.stairs(counts / max(1, counts.sum()), DEGREES, color=colour, linestyle=dash, label=f"{what}, {labels}")
    axis.set(xlabel="angle between the embeddings of two faces, degrees", ylabel="share of pairs")
    legend(axis)
    words = "; ".join(f"{labels}: {s.faces:,} faces, {s.pairs:,} pairs" for labels, s in separations.items())
    return Chart(
        "angles",
        "Angles of pairs of one identity (genuine) and of two (impostor)",
        f"Histograms of a sample of identities drawn by hash. {words}.",
        figure,
    )


def roc_and_cmc(separations: Mapping[str, Separation]) -> list[Chart]:
    """The ROC and the CMC chart; separations: by labels, see separation.separations()."""
    roc, roc_axis = axes()
    cmc, cmc_axis = axes()
    for (labels, s), colour, dash in zip(separations.items(), (ORANGE, BLUE), ("--", "-"), strict=False):
        roc_axis.plot(s.far, s.tar, dash, color=colour, label=labels)
        cmc_axis.plot(range(1, len(s.cmc) + 1), s.cmc, dash, color=colour, marker="o", markersize=3, label=labels)
    log_scale(roc_axis)
    roc_axis.set(xlabel="FAR", ylabel="TAR")
    cmc_axis.set(xlabel="rank", ylabel="share of probes identified up to the rank", xticks=[1, 5, 10, 15, 20])
    for axis in (roc_axis, cmc_axis):
        legend(axis)
    at = len(next(iter(separations.values())).far) // 4
    tars = "; ".join(f"{labels}: TAR {s.tar[at]:.3f} at FAR {s.far[at]:.0e}" for labels, s in separations.items())
    ranks = "; ".join(f"{labels}: rank-1 {s.cmc[0]:.3f}" for labels, s in separations.items())
    return [
        Chart("roc", "ROC: verification of the sample's pairs", f"{tars}.", roc),
        Chart("cmc", "CMC: identification of the sample's faces", f"{ranks}.", cmc),
    ]
