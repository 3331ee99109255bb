"""A run: all settings that decide the result of a training, in one frozen value.

The numbers of classes and photos are read from the data set, so they are not settings. Device, number of threads and
the interval of log lines are not part of a run, because they do not change its result.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pipeline.errors import UserError

OPTIMIZERS = ("sgd", "adamw")
PRECISIONS = ("fp32", "bf16", "fp16")
UPDATES = ("sparse", "dense")
NORMS = ("local", "sync")
POWER = r"\d{1,2}(?:\.\d{1,6})?"  # of a polynomial schedule: 0 to less than 100
LARGEST = 1_000_000_000  # of whole numbers; with seeds up to this the seed of every update fits in 64 bits


def _option(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Run:
    """The settings of one training; the fields are options of the commands that train.

    Raises UserError for a value out of range; the message names the field, its value and the allowed values.
    """

    backbone: str = _option("iresnet50", "Network: iresnet18/34/50/100/200, mobilefacenet, sphere20, greyface, sample.")
    embedding: int = _option(512, "Length of the embedding.")
    input: str = _option("3x112x112", "Channels x height x width of a face; 1 channel is grey.")
    loss: str = _option("arcface", "Head and further terms: norm_softmax+intra, or arcface:scale=32,m2=0.4+focal.")
    sample_rate: float = _option(1.0, "Share of the classes that an update compares photos with (Partial FC).")
    update: str = _option(
        "sparse",
        "With sample_rate below 1: sparse updates the weights of the sampled classes only; dense updates all classes, "
        "those outside the sample by momentum and weight decay.",
    )
    filter_cosine: float = _option(
        1.0,
        "A photo is not compared with other classes whose cosine is above this: they are probably the same person. "
        "1: compared with all.",
    )
    batch: int = _option(512, "Photos of one update, over all ranks.")
    accumulate: int = _option(1, "Micro-batches that each rank computes one after the other, to save memory.")
    steps: int = _option(32_000, "Number of updates.")
    optimizer: str = _option("sgd", "sgd (momentum .9) or adamw.")
    lr: float = _option(0.1, "Peak learning rate.")
    weight_decay: float = _option(5e-4, "Weight decay of backbone and classifier.")
    schedule: str = _option(
        "step:20000,28000",
        "Learning rate after the warm-up: constant, cosine, polynomial:POWER (1: a straight line; without POWER: 2), "
        "or step:A,B (divided by 10 at updates A, B).",
    )
    warmup: int = _option(0, "Updates over which the learning rate rises from 0.")
    clip: float = _option(5.0, "The backbone's gradient is clipped to this norm; 0: not clipped.")
    precision: str = _option("fp32", "fp32, bf16, or fp16 with loss scaling.")
    dropout: float = _option(0.0, "Dropout before the backbone's last layer.")
    augment: float = _option(
        0.0,
        "Share of the faces that are changed in light, sharpness, colour or compression. "
        "Half of the faces are mirrored at any value.",
    )
    norm: str = _option(
        "local",
        "Batch norm on several ranks: local (over a rank's own photos, as arcface_torch) or sync (over those of all "
        "ranks, so that any number of ranks computes the same).",
    )
    recompute: bool = _option(False, "Gradient checkpointing: less memory, about a third more time.")
    compile: bool = _option(False, "Compile the backbone with torch.compile.")
    seed: int = _option(0, "Random seed of the initial weights, the order of the photos and their augmentation.")

    def __post_init__(self) -> None:
        _check(self.optimizer in OPTIMIZERS, "optimizer", self.optimizer, f"one of {', '.join(OPTIMIZERS)}")
        _check(self.precision in PRECISIONS, "precision", self.precision, f"one of {', '.join(PRECISIONS)}")
        _check(self.update in UPDATES, "update", self.update, f"one of {', '.join(UPDATES)}")
        _check(self.norm in NORMS, "norm", self.norm, f"one of {', '.join(NORMS)}")
        is_schedule = re.fullmatch(rf"constant|cosine|polynomial(:{POWER})?|step:\d+(,\d+)*", self.schedule)
        _check(bool(is_schedule), "schedule", self.schedule, "constant, cosine, polynomial:1, or step:20000,28000")
        is_square = re.fullmatch(r"([13])x(\d+)x\2", self.input)
        _check(bool(is_square), "input", self.input, "1 or 3 channels and a square, such as 3x112x112 or 1x128x128")
        for name in ("embedding", "batch", "accumulate", "steps"):
            _check(1 <= getattr(self, name) <= LARGEST, name, getattr(self, name), f"1 to {LARGEST}")
        for name in ("warmup", "seed"):
            _check(0 <= getattr(self, name) <= LARGEST, name, getattr(self, name), f"0 to {LARGEST}")
        for name in ("lr", "weight_decay", "clip"):
            _check(0 <= getattr(self, name) < math.inf, name, getattr(self, name), "0 or more, and finite")
        for name in ("dropout", "augment"):
            _check(0 <= getattr(self, name) < 1, name, getattr(self, name), "0 or more and less than 1")
        for name in ("sample_rate", "filter_cosine"):
            _check(0 < getattr(self, name) <= 1, name, getattr(self, name), "more than 0, at most 1")
        _check(self.batch % self.accumulate == 0, "accumulate", self.accumulate, f"a divisor of batch ({self.batch})")

    @property
    def channels(self) -> int:
        """Channels of a face: 3 in RGB, 1 in grey."""
        return int(self.input.split("x")[0])

    @property
    def size(self) -> int:
        """Height and width of a face in pixels."""
        return int(self.input.split("x")[1])


def override(run: Run, texts: Mapping[str, str]) -> Run:
    """The run with some fields replaced; texts: the new values by field name, as typed on a command line.

    Raises UserError for an unknown field, or for a text that is not of the field's type.
    """
    types = {f.name: type(f.default) for f in fields(Run)}
    for name in texts:
        if name not in types:
            raise UserError(f"a run has no field {name}: it has {', '.join(types)}")
    return replace(run, **{name: _parse_value(name, text, types[name]) for name, text in texts.items()})


def run_from_dict(values: Mapping[str, Any]) -> Run:
    """The run with these field values: the inverse of `dataclasses.asdict`, in which form a checkpoint stores it.

    Before runs had the field norm, all ranks together computed batch norms: values without it are those of norm sync.
    """
    return Run(**{"norm": "sync"} | dict(values))


def folder_text(run: Run) -> str:
    """The text of a run from which the name of its training's folder is made.

    It leaves out a norm that is the default, so that trainings keep their folders that were made before the field.
    """
    return str({name: value for name, value in asdict(run).items() if (name, value) != ("norm", "local")})


def differing_fields(a: Run, b: Run) -> list[str]:
    """The fields in which two runs differ, as "lr 0.1 and 0.2"."""
    left, right = asdict(a), asdict(b)
    return [f"{name} {left[name]} and {right[name]}" for name in left if left[name] != right[name]]


def _parse_value(name: str, text: str, field_type: type) -> Any:
    if field_type is bool:
        _check(text.lower() in ("true", "false", "yes", "no", "1", "0"), name, text, "true or false")
        return text.lower() in ("true", "yes", "1")
    try:
        return field_type(text)
    except ValueError:
        expected = "a whole number" if field_type is int else "a number"
        raise UserError(f"{name} {text!r}: expected {expected}") from None


def _check(valid: bool, name: str, value: Any, expected: str) -> None:
    if not valid:
        raise UserError(f"{name} {value!r}: expected {expected}")
