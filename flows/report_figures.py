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
    """The figures of evaluations, one picture for each test set, and models told apart by their files if need be."""
    rows: dict[str, list[Measured]] = {}
    for file in files:
        for f in _evaluation(file):
            who = f["model"] if len(files) == 1 else f"{file.stem}: {f['model']}"
            what = f"{f['figure']} less {f['against']}" if f["against"] else f["figure"]
            rows.setdefault(f["test_set"], []).append(Measured(what, who, f["value"], f["low"], f["high"]))
    for name in rows:
        order = list(dict.fromkeys(r.panel for r in rows[name]))
        rows[name].sort(key=lambda r: order.index(r.panel))
    return [charts.intervals(f"models_{i}", f"Models on {name}", some) for i, (name, some) in enumerate(rows.items())]


def _evaluation(file: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(file.read_text("utf-8"))["figures"]
        return [{k: f[k] for k in ("test_set", "figure", "model", "against", "value", "low", "high")} for f in found]
    except (OSError, ValueError, KeyError, TypeError) as error:
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
