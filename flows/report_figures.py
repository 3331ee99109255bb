"""What a report shows of trainings, evaluations, and a second refinement."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import storage
from pipeline.errors import UserError
from pipeline.refined.latest import Refinement, latest
from pipeline.report import bands, charts, page
from pipeline.report.charts import Chart, Measured
from pipeline.report.counts import count
from pipeline.report.page import Section

MOST = 6  # experiments on a page
FIRST = ("face_id", "claimed", "identity", "reason")


def is_evaluation(path: str) -> bool:
    """Whether this is a file and not a root."""
    return path.endswith(".json")


def experiments(root: str) -> list[Chart]:
    """The figures of before, after and a removal at random, of each experiment in the root."""
    found = [n for n in storage.names(root, "experiments") if n.endswith("/comparison.json")]
    made = []
    for i, name in enumerate(sorted(found)[:MOST], start=1):
        rows = [Measured(f"{m['test_set']} {m['figure']}", m["arm"], m["mean"], m["low"], m["high"])
                for m in (storage.get_json(root, name) or {}).get("measured", [])]  # fmt: skip
        order = list(dict.fromkeys(r.panel for r in rows))
        rows.sort(key=lambda r: order.index(r.panel))
        if rows:
            made.append(charts.intervals(f"experiment_{i}", f"Before, after and at random: experiment {i}", rows))
    return made


def models(files: Sequence[Path]) -> list[Chart]:
    """The figures of evaluations, one picture for each test set, then ROCs; models told apart by their files if need
    be."""
    rows: dict[str, list[Measured]] = {}
    rocs: dict[str, dict[str, list[list[float]]]] = {}
    for file in files:
        found, curves = _evaluation(file)
        for f in found:
            what = f"{f['figure']} less {f['against']}" if f["against"] else f["figure"]
            rows.setdefault(f["test_set"], []).append(
                Measured(what, _who(file, files, f["model"]), f["value"], f["low"], f["high"])
            )
        for test, of in curves.items():
            rocs.setdefault(test, {}).update({_who(file, files, model): curve for model, curve in of.items()})
    for name in rows:
        order = list(dict.fromkeys(r.panel for r in rows[name]))
        rows[name].sort(key=lambda r: order.index(r.panel))
    shown = [charts.intervals(f"models_{i}", f"Models on {n}", some) for i, (n, some) in enumerate(rows.items())]
    return shown + [charts.rocs(f"roc_{i}", f"ROC on {n}", of) for i, (n, of) in enumerate(rocs.items())]


def _who(file: Path, files: Sequence[Path], model: str) -> str:
    return model if len(files) == 1 else f"{file.stem}: {model}"


def _evaluation(file: Path) -> tuple[list[dict[str, Any]], dict[str, dict[str, list[list[float]]]]]:
    """Figures and ROCs of an evaluation; one that was printed by an older version has none of the latter."""
    try:
        said = json.loads(file.read_text("utf-8"))
        kept = ("test_set", "figure", "model", "against", "value", "low", "high")
        curves = {str(t): {str(m): [[float(v) for v in side] for side in (c[0], c[1])] for m, c in of.items()}
                  for t, of in said.get("rocs", {}).items()}  # fmt: skip
        return [{k: f[k] for k in kept} for f in said["figures"]], curves
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UserError(
            f"cannot read {file} as an evaluation ({error}): give what `refinery evaluate ... --json` printed"
        ) from None


def differences(a: str, b: str) -> tuple[list[Section], list[Chart]]:
    """Two refinements beside each other: where photos went, what they decide differently, and the thresholds."""
    one, two = latest(a), latest(b)
    drawn = []
    for name, done in (("a", one), ("b", two)):
        chart = bands.where_it_went(count(done).flow)
        drawn.append(chart._replace(name=f"{chart.name}_{name}", title=f"{chart.title}: {name.upper()}"))
    keys = sorted({*one.thresholds, *two.thresholds})
    limits = [(k, *(f"{d.thresholds[k]:g}" if k in d.thresholds else "" for d in (one, two))) for k in keys]
    counts = [(k, one.account[k], two.account[k]) for k in one.account if k != "removed"]
    counts += [(f"removed: {r}", *(d.account["removed"].get(r, 0) for d in (one, two)))
               for r in sorted({*one.account["removed"], *two.account["removed"]})]  # fmt: skip
    sections = [
        Section("went", "Where photos went", page.drawn(drawn) + page.table(("photos", "A", "B"), counts)),
        Section("changed", "Photos that they treat differently", _changed(one, two)),
        Section("limits", "Thresholds", page.table(("threshold", "A", "B"), limits)),
    ]
    return sections, drawn


def _changed(one: Refinement, two: Refinement) -> str:
    """Photos by what becomes of them in A and in B, where that differs; one table's fates are held at a time."""
    first = _fates(one)
    pairs: Counter[tuple[str, str]] = Counter()
    seen = 0
    for rows in two.tables["labels"].batches(FIRST):
        for row in rows.to_pylist():
            seen += row["face_id"] in first
            before = first.get(row["face_id"], "not there")
            pairs[before, _fate(row)] += 1
    pairs.update({("in A alone", ""): len(first) - seen} if len(first) > seen else {})
    rows_ = [(x, y, n) for (x, y), n in pairs.most_common() if x != y]
    return page.table(("in A", "in B", "photos"), rows_)


def _fates(done: Refinement) -> dict[str, str]:
    return {r["face_id"]: _fate(r) for t in done.tables["labels"].batches(FIRST) for r in t.to_pylist()}


def _fate(row: dict[str, Any]) -> str:
    if row["identity"] is None:
        return f"removed: {row['reason']}"
    return "kept" if row["identity"] == row["claimed"] else f"moved: {row['reason']}"
