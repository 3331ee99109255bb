"""How a training starts: from which file its weights are, which of them it changes, and how fast.

Without a file the weights are random. These settings are no fields of a Run, so that the trainings of a run without
them keep their folders; a checkpoint holds them beside the run.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from trainer import checkpoint
from trainer.backbones.backbone import Backbone
from trainer.export import open_session
from trainer.own_backbone import is_own_checkpoint
from trainer.pretrained.layouts import NamedWeights, rename
from trainer.pretrained.measured_norms import measure_norms
from trainer.pretrained.onnx_weights import onnx_state, pixel_scale, read_graph
from trainer.pretrained.weight_file import read_weights
from trainer.run import Run
from trainer.safetensors_file import FIELDS, SUFFIX, described_run
from trainer.whole_file import file_digest

MIN_COSINE = 0.9999  # between the embeddings of an ONNX file and of the network with its weights
TRIAL_FACES = 16  # that both compute; all faces given are used to measure statistics


@dataclass(frozen=True)
class Start:
    """The start of a training.

    init: a file of weights; "": random weights. freeze: the backbone's weights do not change. layer_lr: the learning
    rate of each block of the backbone is that of the block after it times this. new_classifier: a classifier in the
    file is not used. Raises UserError for values out of range.
    """

    init: str = ""
    freeze: bool = False
    layer_lr: float = 1.0
    new_classifier: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.layer_lr <= 1:
            raise UserError(f"layer_lr {self.layer_lr}: expected more than 0, at most 1")
        if not self.init and (self.freeze or self.new_classifier):
            raise UserError("freeze and new_classifier need weights to start from: give --init FILE")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What decides the result, for checkpoints: the digest of the file and the other fields; {} for the default."""
        if self == Start():
            return {}
        return {
            "init": file_digest(self.init) if self.init else "",
            "freeze": self.freeze,
            "layer_lr": self.layer_lr,
            "new_classifier": self.new_classifier,
        }

    def parameter_groups(self, net: nn.Module) -> list[dict[str, Any]]:
        """The backbone's parameters for an optimizer; "lr_factor" multiplies a group's learning rate."""
        if self.layer_lr == 1 or not isinstance(net, Backbone):
            return [{"params": list(net.parameters())}]
        parts: list[nn.Module] = [*net.blocks, net.head]
        groups = [
            {"params": list(part.parameters()), "lr_factor": self.layer_lr ** (len(parts) - 1 - i)}
            for i, part in enumerate(parts)
        ]
        return [group for group in groups if group["params"]]


class Loaded(NamedTuple):
    """What was loaded from a file.

    line: what of the file is in use and what not, for the log. classifier: the file's class weights [classes, *row];
    rows: for classes of the data, the row of the same identity in it.
    """

    line: str
    classifier: Tensor | None = None
    rows: Mapping[int, int] = MappingProxyType({})


def load_start(start: Start, run: Run, net: Backbone, *, faces: Tensor, names: tuple[str, ...], digest: str) -> Loaded:
    """Load a start's weights into a backbone, which is in evaluation mode afterwards.

    faces [n, c, s, s]: faces of the data as the network takes them, on which statistics are measured that a file does
    not hold. names: the identity of each class of the data, () where they are not known. digest: of the data. Raises
    UserError for a file that does not fit the run.
    """
    net.eval()
    if Path(start.init).suffix == ".onnx":
        return _load_onnx(start.init, run, net, faces)
    if is_own_checkpoint(start.init):
        return _load_own(start, run, net, names=names, digest=digest)
    if start.init.endswith(SUFFIX) and (described := described_run(start.init)) is not None:
        return _load_published(start.init, described, run, net)
    named = rename(read_weights(start.init), path=start.init)
    _load_named(named, run, net, start.init)
    if named.unmeasured:
        measure_norms(net, named.unmeasured, faces)
    notes = "".join(f"; {note}" for note in named.notes)
    return Loaded(f"{start.init}: the backbone ({named.backbone}) is loaded; the classifier is new{notes}")


def _load_named(named: NamedWeights, run: Run, net: Backbone, path: str) -> None:
    if (named.backbone, named.embedding) != (run.backbone, run.embedding):
        raise UserError(
            f"{path} holds {named.backbone} with an embedding of {named.embedding}, the training has {run.backbone} "
            f"with {run.embedding}: give --backbone {named.backbone} --set embedding={named.embedding}"
        )
    load_state(net, named.weights, path)


def load_state(net: Backbone, weights: Mapping[str, Tensor], path: str) -> None:
    """Load weights by name; counts of batches may be missing. Raises UserError for other names or shapes."""
    own = net.state_dict()
    counts = {name: t for name, t in own.items() if name.endswith("num_batches_tracked")}
    state = {**counts, **weights}
    wrong = sorted({*own} ^ {*state}) or [name for name, t in own.items() if t.shape != state[name].shape]
    if wrong:
        raise UserError(
            f"{path} does not fit the backbone ({len(wrong)} weights, such as {wrong[0]}): give another file"
        )
    if not all(t.isfinite().all() for t in state.values()):
        raise UserError(f"{path} holds weights that are not finite: give another file")
    net.load_state_dict(state)


def _load_published(path: str, described: Run, run: Run, net: Backbone) -> Loaded:
    """Load the model.safetensors of a training, which has no classifier."""
    _check_network(path, described, run)
    load_state(net, read_weights(path), path)
    return Loaded(f"{path}: the backbone ({run.backbone}) is loaded; the classifier is new")


def _check_network(path: str, own: Run, run: Run) -> None:
    """Raise UserError where a file's network is not that of the run."""
    fields = [f for f in FIELDS if getattr(own, f) != getattr(run, f)]
    if fields:
        wanted = ", ".join(f"{f} {getattr(own, f)}" for f in fields)
        raise UserError(f"{path} holds a network of {wanted}: give the same (--backbone, --set FIELD=VALUE)")


def _load_own(start: Start, run: Run, net: Backbone, *, names: tuple[str, ...], digest: str) -> Loaded:
    """Load a checkpoint of this package."""
    saved = checkpoint.load(start.init)
    _check_network(start.init, saved.run, run)
    load_state(net, saved.backbone, start.init)
    weight = saved.objective.get("weight")
    rows = {} if start.new_classifier or weight is None else _rows_of_identities(saved, names, digest)
    done = (
        f"the classifier of {len(rows)} identities of {len(names) or saved.classes} is loaded"
        if rows
        else "the classifier is new"
    )
    return Loaded(f"{start.init}: the backbone ({run.backbone}) is loaded; {done}", weight if rows else None, rows)


def _rows_of_identities(saved: checkpoint.Checkpoint, names: tuple[str, ...], digest: str) -> dict[int, int]:
    """For each class of the data whose identity the checkpoint was trained on: the row in its classifier."""
    if saved.data == digest:
        return {i: i for i in range(saved.classes)}
    row_of = {name: row for row, name in enumerate(saved.names)}
    return {label: row_of[name] for label, name in enumerate(names) if name in row_of}


def _load_onnx(path: str, run: Run, net: Backbone, faces: Tensor) -> Loaded:
    """Load an ONNX file, and check that the network gives its embeddings."""
    state, unmeasured = onnx_state(net, path)
    load_state(net, state, path)
    measure_norms(net, unmeasured, faces)
    cosine = min(_cosines_to_file(path, net, faces[:TRIAL_FACES]))
    if not cosine >= MIN_COSINE:  # also true for nan
        raise UserError(
            f"{path} gives other embeddings than {run.backbone} with its weights (a cosine of {cosine:.5f}, at least "
            f"{MIN_COSINE} expected): it is another network; give another file"
        )
    measured = f"; {len(unmeasured)} batch norms that the file lacks were measured on {len(faces)} faces"
    return Loaded(
        f"{path}: the backbone ({run.backbone}) is loaded, with a cosine of at least {cosine:.6f} to the file's "
        f"embeddings{measured if unmeasured else ''}; the classifier is new"
    )


def _cosines_to_file(path: str, net: Backbone, faces: Tensor) -> Iterator[float]:
    """The cosine between the file's embedding and the network's of each face."""
    session, scale = open_session(Path(path)), pixel_scale(read_graph(path))
    name = session.get_inputs()[0].name
    for face in faces.cpu().float():
        with torch.inference_mode():
            own = net.eval()(face[None].to(next(net.parameters()))).double().cpu().flatten()
        pixels = face * 127.5 + 127.5 if scale else face
        theirs = torch.from_numpy(session.run(None, {name: pixels[None].numpy()})[0]).double().flatten()
        if own.shape != theirs.shape:
            yield math.nan
        else:
            yield float(torch.nn.functional.cosine_similarity(own, theirs, dim=0))
