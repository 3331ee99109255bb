"""The figures of a model card: of the published weights, on each test set of the training, and by group of people."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flows.evaluate.by_group.group_results import GroupFigure, GroupGap, GroupResults
from flows.evaluate.by_group.pair_groups import measure_pair_set
from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.pair_sets import PreparedPairs
from flows.evaluate.results import Figure, Measurement
from flows.refine.models import load_embedder
from flows.train.release.markdown import bullets, escaped, table

MODEL = "model"  # the model's name in the results; a card has one


def measure(
    root: str, model: Path, test_sets: Mapping[str, tuple[PreparedPairs, str]], options: MeasureOptions
) -> list[Measurement]:
    """The figures of a model on sets of pairs; test_sets: by name a set and how the mirrored face is used."""
    return [
        measure_pair_set(root, {MODEL: load_embedder(str(model), flip)}, pairs, options, name=name).with_flip(flip)
        for name, (pairs, flip) in test_sets.items()
    ]


def figure_tables(measured: Sequence[Measurement], draws: int) -> list[str]:
    """The figures of all test sets in one table, and those by group in a table for each test set."""
    if not measured:
        return ["No test set was given, so nothing is known about how well the model does.\n"]
    rows = [[escaped(f.test_set), f.figure, _shown(f)] for m in measured for f in m.figures]
    tables = [table(("test set", "figure", "value"), rows)]
    sizes = [
        f"{escaped(t.test_set)}: {t.pairs:,} pairs, {t.genuine:,} of them genuine, {t.missing:,} without a face "
        f"(counted as different); the mirrored face: {t.flip}; thresholds: {_thresholds(m)}"
        for m in measured
        for t in (m.test_set,)
    ]
    legend = f"In brackets: the 95% interval over {draws:,} bootstrap samples of the test set's people (where it names "
    legend += "nobody, of its pairs). "
    tables += [bullets(sizes), (legend if draws else "") + "An exclamation mark: too few impostor pairs to say.\n"]
    return [*tables, *(text for m in measured for text in _group_tables(m.test_set.test_set, m.by_group))]


def _thresholds(measurement: Measurement) -> str:
    (verification,) = measurement.verifications.values()
    cosines = ", ".join(f"{cosine:.3f} for FAR {far:g}" for far, cosine in verification.cosine.items())
    return f"a cosine of {cosines}" if cosines else "none, for there are too few impostor pairs"


def _group_tables(test_set: str, by_group: GroupResults) -> Iterable[str]:
    """Figures by group and their gaps; impostors within and between groups at one threshold and at each group's."""
    if not by_group.figures:
        return
    groups = list(dict.fromkeys(f.group for f in by_group.figures))
    gaps = {g.figure: g for g in by_group.gaps}
    rows: dict[str, dict[str, str]] = {}
    for f in by_group.figures:
        rows.setdefault(f.figure, {})[f.group] = _shown(f)
    yield f"### {escaped(test_set)} by group of people\n"
    yield table(
        ("figure", *map(escaped, groups), "gap"),
        [
            [figure, *(row.get(group, "") for group in groups), _gap(gaps[figure]) if figure in gaps else ""]
            for figure, row in rows.items()
        ],
    )
    yield "Gap: how much better the figure is in the best group than in the worst one, which are named.\n"
    for threshold in dict.fromkeys(r.threshold for r in by_group.rates):
        rates = [r for r in by_group.rates if r.threshold == threshold]
        cells = {(r.enrolled, r.impostor): _interval(r.value, r.low, r.high, bool(r.warning)) for r in rates}
        cosine = {r.enrolled: r.cosine for r in rates}
        yield f"Impostors who pass as a person of a group, {threshold}:\n"
        yield table(
            ("enrolled", "cosine above", *(f"impostors of {escaped(g)}" for g in cosine)),
            [[escaped(g), f"{c:.3f}", *(cells.get((g, h), "") for h in cosine)] for g, c in cosine.items()],
        )


def _shown(figure: Figure | GroupFigure) -> str:
    return _interval(figure.value, figure.low, figure.high, bool(figure.warning))


def _gap(gap: GroupGap) -> str:
    return f"{_interval(gap.value, gap.low, gap.high, False)} ({escaped(gap.best)}, {escaped(gap.worst)})"


def _interval(value: float, low: float | None, high: float | None, is_uncertain: bool) -> str:
    bounds = "" if low is None or high is None else f" [{low:.4f}, {high:.4f}]".replace("[", "\\[").replace("]", "\\]")
    return f"{value:.4f}{'!' if is_uncertain else ''}{bounds}"
