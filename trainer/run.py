"""Run: everything that decides what a training makes, in one frozen value. What the data says is never typed in.

How many classes and photos there are is read from the data; where it runs, how many threads decode and how often it
speaks are not part of a run, because they change nothing in its result.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pipeline.errors import UserError

OPTIMIZERS = ("sgd", "adamw")
PRECISIONS = ("fp32", "bf16", "fp16")
UPDATES = ("sparse", "dense")


def _says(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Run:
    """One training. Fields are checked when it is made; UserError names the field, what it is and what it may be."""

    backbone: str = _says("iresnet50", "Network: iresnet18/34/50/100/200, mobilefacenet, sphere20, greyface, sample.")
    embedding: int = _says(512, "Length of the embedding.")
    input: str = _says("3x112x112", "Channels x height x width of a face; 1 channel is grey.")
    loss: str = _says("arcface", "Head and further terms, as in norm_softmax+intra or arcface:scale=32,m2=0.4+focal.")
    sample_rate: float = _says(1.0, "Share of the classes that a step of Partial FC compares with.")
    update: str = _says(
        "sparse", "What a sampled step moves: sparse, the classes in it; dense, all, by momentum and weight decay."
    )
    filter_cosine: float = _says(1.0, "Negatives above this cosine are left out as mislabelled; 1 leaves none out.")
    batch: int = _says(512, "Photos of one update, over all ranks.")
    accumulate: int = _says(1, "Parts that a rank cuts its share of a batch into, one after the other.")
    steps: int = _says(32_000, "Updates.")
    optimizer: str = _says("sgd", "sgd (momentum .9) or adamw.")
    lr: float = _says(0.1, "Peak learning rate.")
    weight_decay: float = _says(5e-4, "Weight decay, of the classifier too.")
    schedule: str = _says("step:20000,28000", "constant, polynomial, cosine, or step:AT,AT (divides by 10 there).")
    warmup: int = _says(0, "Updates over which the learning rate rises from nothing.")
    clip: float = _says(5.0, "Largest norm of the backbone's gradient; 0 clips nothing.")
    precision: str = _says("fp32", "fp32, bf16, or fp16 with loss scaling.")
    dropout: float = _says(0.0, "Before the last layer of the head.")
    augment: float = _says(
        0.0, "Share of the photos darkened, blurred, greyed or compressed; half are mirrored anyway."
    )
    recompute: bool = _says(False, "Gradient checkpointing: less memory, about a third more time.")
    compile: bool = _says(False, "torch.compile the backbone.")
    seed: int = _says(0, "Of the weights, the order of the photos and their changes.")

    def __post_init__(self) -> None:
        _check(self.optimizer in OPTIMIZERS, "optimizer", self.optimizer, f"one of {', '.join(OPTIMIZERS)}")
        _check(self.precision in PRECISIONS, "precision", self.precision, f"one of {', '.join(PRECISIONS)}")
        _check(self.update in UPDATES, "update", self.update, f"one of {', '.join(UPDATES)}")
        known = re.fullmatch(r"constant|polynomial|cosine|step:\d+(,\d+)*", self.schedule)
        _check(bool(known), "schedule", self.schedule, "constant, polynomial, cosine, or step:20000,28000")
        square = re.fullmatch(r"([13])x(\d+)x\2", self.input)
        _check(bool(square), "input", self.input, "1 or 3 channels and a square, such as 3x112x112 or 1x128x128")
        for name in ("embedding", "batch", "accumulate", "steps"):
            _check(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("lr", "weight_decay", "warmup", "clip", "seed"):
            _check(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("dropout", "augment"):
            _check(0 <= getattr(self, name) < 1, name, getattr(self, name), "0 or more and less than 1")
        _check(0 < self.sample_rate <= 1, "sample_rate", self.sample_rate, "more than 0, at most 1")
        _check(self.batch % self.accumulate == 0, "accumulate", self.accumulate, f"a divisor of batch ({self.batch})")

    @property
    def channels(self) -> int:
        """Of a face: 3 in RGB, 1 in grey."""
        return int(self.input.split("x")[0])

    @property
    def size(self) -> int:
        """Height and width of a face in pixels."""
        return int(self.input.split("x")[1])


def override(run: Run, given: Mapping[str, str]) -> Run:
    """The run with fields replaced by what was typed.

    Raises UserError for a field that is not there or a value of another type.
    """
    kinds = {f.name: type(f.default) for f in fields(Run)}
    for name in given:
        if name not in kinds:
            raise UserError(f"a run has no field {name}: it has {', '.join(kinds)}")
    return replace(run, **{name: _typed(name, text, kinds[name]) for name, text in given.items()})


def from_dict(given: Mapping[str, Any]) -> Run:
    """The run that `asdict` wrote, as a checkpoint keeps it."""
    return Run(**given)


def differing(a: Run, b: Run) -> list[str]:
    """The fields in which two runs differ, as "lr 0.1 and 0.2"."""
    left, right = asdict(a), asdict(b)
    return [f"{name} {left[name]} and {right[name]}" for name in left if left[name] != right[name]]


def _typed(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        _check(text.lower() in ("true", "false", "yes", "no", "1", "0"), name, text, "true or false")
        return text.lower() in ("true", "yes", "1")
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"{name} {text!r}: expected {'a whole number' if kind is int else 'a number'}") from None


def _check(fits: bool, name: str, value: Any, expected: str) -> None:
    if not fits:
        raise UserError(f"{name} {value!r}: expected {expected}")
