"""The model card: what the model is, on what it was trained and how, its figures, its limits, and how to load it.

It names no identity of the data and no path. The same training gives the same card, byte by byte.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from shlex import quote
from typing import Any

from flows.evaluate.results import Measurement
from flows.train.release.figures import figure_tables
from flows.train.release.front_matter import front_matter
from flows.train.release.loading import loading
from flows.train.release.markdown import bullets, code, escaped, section, table
from flows.train.run_options import OWN_OPTIONS
from trainer.recipes import recipe
from trainer.run import Run

PERSONAL = (
    "An embedding of a face is biometric data: the law of your country holds for whoever computes, keeps or compares "
    "it."
)
THRESHOLD = (
    "A threshold holds for faces like those that it was measured on. Choose it on faces of your own use, for the false "
    "accept rate that the use allows."
)
ALIGNED = (
    "The model knows faces that were aligned by five landmarks as ArcFace aligns them. Other crops give other "
    "embeddings."
)
ONE_TRAINING = "The intervals are over people of the test sets. Another training with another seed differs as well."
NO_GROUPS = (
    "No figures by group of people were measured, so it is not known whether the model confuses the people of some "
    "groups more than those of others."
)
BY_GROUP = (
    "Where a group has a higher false accept rate at one threshold, its people are taken for each other more often; a "
    "threshold for each group evens that out, and not how well the group's genuine pairs are accepted."
)
BY_TEACHER = ("teacher", "distillation")  # of what decided a training
INHERITED = "What the training data lacks, and its wrong labels, the model inherits."


@dataclass(frozen=True)
class Publication:
    """What a card tells about a training.

    recipe: the name of the recipe, run: its settings; start: what decided the first weights, and a teacher
    (Learner.settings). ranks: that trained it; 0: not recorded. photos, identities: of the data; data: its digest;
    data_card: the SHA-256 of its data card, "" for none. files: the bytes and the SHA-256 of each file beside the card.
    licence: of the model as the user states it, "" for none. draws: bootstrap samples.
    """

    recipe: str
    run: Run
    start: Mapping[str, Any]
    ranks: int
    photos: int
    identities: int
    data: str
    data_card: str
    files: Mapping[str, tuple[int, str]]
    measured: Sequence[Measurement]
    draws: int
    licence: str = ""

    @property
    def title(self) -> str:
        """The name of the model."""
        return f"Face embedder {self.run.backbone}, trained with {self.run.loss}"


def card_text(published: Publication, *, data_card: str) -> str:
    """The card in Markdown, with the YAML that the Hugging Face hub reads at its top.

    data_card: the name of the data set's card beside it.
    """
    run = published.run
    licence = escaped(published.licence) or "Not stated. Who publishes the model states its licence."
    what = (
        f"A network ({run.backbone}) that turns an aligned face ({run.size}x{run.size} pixels, "
        f"{'colour' if run.channels == 3 else 'grey'}) into {run.embedding} numbers. Faces of one person have "
        "embeddings with a high cosine."
    )
    made = f"Trained by refinery {version('face-refinery')}, recipe {published.recipe}."
    files = [[f"`{name}`", f"{size:,}", f"`{digest}`"] for name, (size, digest) in published.files.items()]
    parts = [
        f"# {escaped(published.title)}\n",
        f"{what}\n\n{made}\n",
        section("Licence", f"{licence}\n"),
        section("Files", table(("file", "bytes", "SHA-256"), files)),
        section("Data", bullets(_data(published, data_card))),
        section("Training", *_training(published)),
        section("Figures", *figure_tables(published.measured, published.draws)),
        section("Known limits", bullets(_limits(published))),
        section("How to load it", *loading(run)),
    ]
    return front_matter(run, published.title, published.measured, published.licence) + "\n" + "\n".join(parts)


def _data(published: Publication, data_card: str) -> Iterator[str]:
    yield f"{published.photos:,} photos of {published.identities:,} identities"
    yield f"digest of the labels, the sizes of the files and their footers: `{published.data}`"
    if published.data_card:
        yield f"the data card, [{data_card}]({data_card}), has the SHA-256 `{published.data_card}`"
    else:
        yield "the data set came without a data card"


def _training(published: Publication) -> Iterator[str]:
    yield "To train it again on the same data:\n"
    yield code("bash", _command(published))
    yield table(("field", "value"), [[name, escaped(str(value))] for name, value in asdict(published.run).items()])
    init, teacher = published.start.get("init", ""), published.start.get("teacher", "")
    others = ", ".join(f"{k} {v}" for k, v in published.start.items() if k not in ("init", *BY_TEACHER))
    yield f"First weights: a file with the digest `{init}` ({others}).\n" if init else "First weights: random.\n"
    if teacher:
        how = published.start["distillation"]
        yield f"It also learned from a teacher, a file with the digest `{teacher}` ({how}).\n"


def _command(published: Publication) -> str:
    """The command that trains this run: the ranks, the recipe, and the fields that differ from it.

    Norms and sums depend on the number of ranks.
    """
    own, plain = asdict(published.run), asdict(recipe(published.recipe))
    words = [f"torchrun --nproc-per-node {published.ranks} --no-python" if published.ranks > 1 else ""]
    words += [f"refinery train DATA --recipe {published.recipe} --out OUT"]
    for name, value in own.items():
        if value != plain[name]:
            words.append(
                f"--{name} {quote(str(value))}" if name in OWN_OPTIONS else f"--set {quote(f'{name}={value}')}"
            )
    start = {"init": "", "freeze": False, "layer_lr": 1.0, "new_classifier": False} | dict(published.start)
    words.append("--init FILE" if start["init"] else "")
    words.append("--freeze" if start["freeze"] else "")
    words.append(f"--layer-lr {start['layer_lr']:g}" if start["layer_lr"] != 1 else "")
    words.append("--new-classifier" if start["new_classifier"] else "")
    words.append(f"--teacher TEACHER --distill {start['distillation']}" if "teacher" in start else "")
    return " ".join(word for word in words if word)


def _limits(published: Publication) -> Iterator[str]:
    yield INHERITED
    yield ALIGNED
    if published.measured:
        yield THRESHOLD
        yield ONE_TRAINING
        yield BY_GROUP if any(m.by_group.figures for m in published.measured) else NO_GROUPS
    else:
        yield "Nothing was measured: measure the model on faces like those of your use before it is used."
    yield PERSONAL
