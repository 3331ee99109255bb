"""Charts of a report that show results of experiments and of evaluations.

An experiment trains on a data set before cleaning, after it, and on a random subset as large as after; its results lie
in the root. An evaluation is a JSON file that `refinery evaluate --json` printed.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.report.charts.drawing import Chart
from pipeline.report.charts.intervals import IntervalRow, intervals
from pipeline.report.charts.model_roc import model_roc
from pipeline.tables import storage

MAX_EXPERIMENTS = 6  # on a page
Curve = list[list[float]]  # FARs and TARs


class EvaluationResult(NamedTuple):
    """One result of an evaluation: a model's figure on a test set, or its difference to that of the model `against`."""

    test_set: str
    metric: str
    model: str
    against: str  # "" for the model's own result
    value: float
    low: float | None
    high: float | None


class EvaluationFile(NamedTuple):
    """The results in an evaluation's file, and the ROCs by test set and model."""

    results: list[EvaluationResult]
    rocs: dict[str, dict[str, Curve]]


def is_evaluation(path: str) -> bool:
    """Whether a path is an evaluation's JSON file and not a root."""
    return path.endswith(".json")


def experiment_charts(root: str) -> list[Chart]:
    """The results before cleaning, after it and on a random subset, a chart for each experiment in the root."""
    names = sorted(n for n in storage.list_files(root, "experiments") if n.endswith("/comparison.json"))
    charts = []
    for i, name in enumerate(names[:MAX_EXPERIMENTS], start=1):
        rows = [
            IntervalRow(f"{m['test_set']} {m['figure']}", m["arm"], m["mean"], m["low"], m["high"])
            for m in (storage.get_json(root, name) or {}).get("measured", [])
        ]
        title = f"Experiment {i}: trained before cleaning, after it, and on a random subset as large as after"
        charts += [intervals(f"experiment_{i}", title, rows)] if rows else []
    return charts


def evaluation_charts(files: Sequence[Path]) -> list[Chart]:
    """For each test set the results of models, then differences between models, then ROCs.

    Where there are several files, a model's label begins with its file's name.
    """
    results: dict[str, list[IntervalRow]] = {}
    differences: dict[str, list[IntervalRow]] = {}
    rocs: dict[str, dict[str, Curve]] = {}
    for file in files:
        evaluation = read_evaluation(file)
        for r in evaluation.results:
            model = _model_label(file, files, r.model)
            label = f"{model} less {r.against}" if r.against else model
            by_test_set = differences if r.against else results
            row = IntervalRow(r.metric, label, r.value, r.low, r.high)
            by_test_set.setdefault(r.test_set, []).append(row)
        for test_set, curves in evaluation.rocs.items():
            labelled = {_model_label(file, files, model): curve for model, curve in curves.items()}
            rocs.setdefault(test_set, {}).update(labelled)
    return [
        *(intervals(f"models_{i}", f"Models on {name}", rows) for i, (name, rows) in enumerate(results.items())),
        *(
            intervals(f"differences_{i}", f"Differences between models on {name}", rows)
            for i, (name, rows) in enumerate(differences.items())
        ),
        *(
            model_roc(f"roc_{i}", f"ROC on {name}", _in_order(curves, [r.model for r in results.get(name, [])]))
            for i, (name, curves) in enumerate(rocs.items())
        ),
    ]


def _in_order(curves: dict[str, Curve], models: Sequence[str]) -> dict[str, Curve]:
    """The curves in the order of the models, so that a model has one colour in all charts of a test set."""
    return dict(sorted(curves.items(), key=lambda c: models.index(c[0]) if c[0] in models else len(models)))


def _model_label(file: Path, files: Sequence[Path], model: str) -> str:
    if len(files) == 1:
        return model
    stems_differ = len({f.stem for f in files}) == len(files)
    return f"{file.stem if stems_differ else file}: {model}"


def read_evaluation(file: Path) -> EvaluationFile:
    """The content of an evaluation's file; older files have no ROCs. Raises UserError for any other file."""
    try:
        content = json.loads(file.read_text("utf-8"))
        results = [
            EvaluationResult(*(f[c] for c in ("test_set", "figure", "model", "against", "value", "low", "high")))
            for f in content["figures"]
        ]
        rocs = {str(name): _curves(curves.items()) for name, curves in content.get("rocs", {}).items()}
        return EvaluationFile(results, rocs)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UserError(
            f"cannot read {file} as an evaluation ({error}): give a file that `refinery evaluate ... --json` printed"
        ) from None


def _curves(curves: Iterable[tuple[object, Sequence[Iterable[float]]]]) -> dict[str, Curve]:
    return {str(model): [[float(rate) for rate in side] for side in (c[0], c[1])] for model, c in curves}
