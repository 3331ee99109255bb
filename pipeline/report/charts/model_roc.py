"""Chart of the ROC curves of several models on one test set."""

from collections.abc import Mapping, Sequence

from pipeline.report.charts.drawing import (
    DASHES,
    LABEL_LETTERS,
    MODEL_COLOURS,
    Chart,
    axes,
    legend,
    log_scale,
    plain_text,
)


def model_roc(name: str, title: str, curves: Mapping[str, Sequence[Sequence[float]]]) -> Chart:
    """The chart of the ROC of each model; curves: by model its FARs and its TARs, of equal length."""
    figure, axis = axes()
    words = []
    for i, (model, (far, tar)) in enumerate(curves.items()):
        axis.plot(
            far, tar, DASHES[i % 4], color=MODEL_COLOURS[i % 6], label=plain_text(model, max_letters=LABEL_LETTERS)
        )
        words += [f"{model}: TAR {tar[0]:.3f} at FAR {far[0]:.1e}"] if len(far) else []
    log_scale(axis)
    axis.set(xlabel="FAR", ylabel="TAR")
    legend(axis)
    return Chart(name, title, f"{title}. {'; '.join(words)}.", figure)
