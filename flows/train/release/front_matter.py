"""The YAML at the top of a model card, as the Hugging Face hub reads it: licence, tags, and the figures."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from flows.evaluate.results import Measurement
from pipeline.printable import printable
from pipeline.refined.formats.hub_card import licence_fields
from trainer.run import Run

TASK = "image-feature-extraction"
TYPES = {"accuracy": "accuracy", "AUC": "roc_auc", "EER": "equal_error_rate"}  # of figures, as the hub's metrics
OTHER = "true_accept_rate"


def front_matter(run: Run, name: str, measured: Sequence[Measurement], licence: str) -> str:
    """The YAML between its lines of dashes; name: of the model."""
    head = re.split("[:+]", run.loss)[0]
    fields: dict[str, Any] = {
        **licence_fields(licence),
        "pipeline_tag": TASK,
        "tags": ["face-recognition", "face-verification", "onnx", "safetensors", run.backbone, head],
    }
    if measured:
        fields["model-index"] = [{"name": name, "results": [_result(m) for m in measured]}]
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1000)}---\n"


def _result(measurement: Measurement) -> dict[str, Any]:
    test_set = printable(measurement.test_set.test_set)
    return {
        "task": {"type": TASK, "name": "Face verification"},
        "dataset": {"type": test_set, "name": test_set},
        "metrics": list(_metrics(measurement)),
    }


def _metrics(measurement: Measurement) -> Iterator[dict[str, Any]]:
    for f in measurement.figures:
        interval = "" if f.low is None else f" (95% interval {f.low:.4f} to {f.high:.4f})"
        yield {"type": TYPES.get(f.figure, OTHER), "value": round(f.value, 6), "name": f"{f.figure}{interval}"}
