"""What a report shows of trainings, evaluations, and a second refinement."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.refinement import latest
from pipeline.report import charts, page, sankey
from pipeline.report.charts import Chart, Measured
from pipeline.report.counts import count
from pipeline.report.differences import Differing, differing
from pipeline.report.page import Section
from pipeline.tables import storage

MOST = 6  # experiments on a page


def is_evaluation(path: str) -> bool:
    """Whether this is a file and not a root."""
    return path.endswith(".json")


def experiments(root: str) -> list[Chart]:
    """The figures of before, after and a removal at random, of each experiment in the root."""
    found = [n for n in storage.names(root, "experiments") if n.endswith("/comparison.json")]
    made = []
    for i, name in enumerate(sorted(found)[:MOST], start=1):
        rows = [
            Measured(f"{m['test_set']} {m['figure']}", m["arm"], m["mean"], m["low"], m["high"])
            for m in (storage.get_json(root, name) or {}).get("measured", [])
        ]
        if rows:
            title = f"Before, after and at random: experiment {i}"
            made.append(charts.intervals(f"experiment_{i}", title, _in_order(rows)))
    return made


def models(files: Sequence[Path]) -> list[Chart]:
    """The figures of evaluations and the differences between models, a picture of either for each test set, then ROCs.

    Models are told apart by their files if need be.
    """
    rows: dict[str, list[Measured]] = {}
    apart: dict[str, list[Measured]] = {}
    rocs: dict[str, dict[str, list[list[float]]]] = {}
    for file in files:
        found, curves = _evaluation(file)
        for f in found:
            who = _who(file, files, f["model"])
            if f["against"]:
                who = f"{who} less {f['against']}"
            of = apart if f["against"] else rows
            of.setdefault(f["test_set"], []).append(Measured(f["figure"], who, f["value"], f["low"], f["high"]))
        for test, drawn in curves.items():
            rocs.setdefault(test, {}).update({_who(file, files, model): curve for model, curve in drawn.items()})
    shown = [charts.intervals(f"models_{i}", f"Models on {n}", _in_order(r)) for i, (n, r) in enumerate(rows.items())]
    shown += [
        charts.intervals(f"apart_{i}", f"Differences between models on {n}", _in_order(r))
        for i, (n, r) in enumerate(apart.items())
    ]
    for i, (name, some) in enumerate(rocs.items()):
        order = [r.who for r in rows.get(name, [])]  # the same colours as above
        in_order = dict(sorted(some.items(), key=lambda c: order.index(c[0]) if c[0] in order else len(order)))
        shown.append(charts.rocs(f"roc_{i}", f"ROC on {name}", in_order))
    return shown


def _in_order(rows: list[Measured]) -> list[Measured]:
    """What is of one figure, together."""
    order = list(dict.fromkeys(r.panel for r in rows))
    return sorted(rows, key=lambda r: order.index(r.panel))


def _who(file: Path, files: Sequence[Path], model: str) -> str:
    distinct = len({f.stem for f in files}) == len(files)
    return model if len(files) == 1 else f"{file.stem if distinct else file}: {model}"


def _evaluation(file: Path) -> tuple[list[dict[str, Any]], dict[str, dict[str, list[list[float]]]]]:
    """Figures and ROCs of an evaluation; one that was printed by an older version has none of the latter."""
    try:
        said = json.loads(file.read_text("utf-8"))
        kept = ("test_set", "figure", "model", "against", "value", "low", "high")
        curves = {
            str(t): {str(m): [[float(v) for v in side] for side in (c[0], c[1])] for m, c in of.items()}
            for t, of in said.get("rocs", {}).items()
        }
        return [{k: f[k] for k in kept} for f in said["figures"]], curves
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UserError(
            f"cannot read {file} as an evaluation ({error}): give what `refinery evaluate ... --json` printed"
        ) from None


def differences(a: str, b: str, *, each: int, most_bytes: int) -> tuple[list[Section], list[Chart], Differing]:
    """Two refinements beside each other: where photos went, which go elsewhere, with faces, and the thresholds."""
    one, two = latest(a), latest(b)
    found = differing(one, two, each=each, most_bytes=most_bytes)
    drawn = []
    for name, done in (("a", one), ("b", two)):
        chart = sankey.where_it_went(count(done).flow)
        drawn.append(chart._replace(name=f"{chart.name}_{name}", title=f"{chart.title}: {name.upper()}"))
    keys = sorted({*one.thresholds, *two.thresholds})
    limits = [(k, *(f"{d.thresholds[k]:g}" if k in d.thresholds else "" for d in (one, two))) for k in keys]
    totals = asdict(one.account), asdict(two.account)
    counts: list[tuple[object, ...]] = [(k, totals[0][k], totals[1][k]) for k in totals[0] if k != "removed"]
    counts += [
        (f"removed: {r}", *(d.account.removed.get(r, 0) for d in (one, two)))
        for r in sorted({*one.account.removed, *two.account.removed})
    ]
    sections = [
        Section("went", "Where photos went", page.drawn(drawn) + page.table(("photos", "A", "B"), counts)),
        Section("changed", "Photos that they treat differently", page.differing(found)),
        Section("limits", "Thresholds", page.table(("threshold", "A", "B"), limits)),
    ]
    return sections, drawn, found
