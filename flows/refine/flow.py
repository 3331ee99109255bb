"""From photos to a refined data set: the whole story on one screen.

Prefect gives order, retries, history and artifacts; without its decorators the flow runs and resumes just the same,
because every stage is a table that is made once and then found.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from prefect import flow, task
from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext

from flows.cli.result import Result
from flows.prefect_runtime.gpu_limit import gpu
from flows.refine.models import embedder_of, is_checkpoint
from flows.refine.take_out import parse_memory, parse_workers
from pipeline import schema
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import BATCH, embed_shard
from pipeline.faces.extract import extract_shard
from pipeline.faces.packs import find_model
from pipeline.faces.protocols import FaceDetector, FaceEmbedder
from pipeline.noise import stages
from pipeline.noise.clusters import ABSORB, JOIN, LINK
from pipeline.noise.persons import DOUBT
from pipeline.noise.same_picture import MIN_COARSE
from pipeline.refined.labels import label
from pipeline.refinement import Account, Refinement, RefineOptions, former_tables, publish
from pipeline.review.answers.votes import verdicts
from pipeline.root_lock import only_one
from pipeline.sources import SOURCES
from pipeline.sources import source as find_source
from pipeline.sources.index import Source, alike, photos
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Table

log = logging.getLogger("refinery")
MANY = 128  # faces at a time for a checkpoint
# what the stages ask for before any finding is judged, as false accept rates; min_coarse is a correlation of pixels
RULES = {"far_link": LINK, "far_join": JOIN, "far_absorb": ABSORB, "far_doubt": DOUBT, "min_coarse": MIN_COARSE}


def _worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    """A storage that hiccups is tried again; what a user must mend, and a fault of the program, is not."""
    return isinstance(state.result(raise_on_failure=False), OSError)


def stage(function: Callable[..., Any], *, name: str | None = None) -> Callable[..., Any]:
    """A function as a Prefect task of the flow that is running; as it is where none runs."""
    if FlowRunContext.get() is None:
        return function
    decorate = task(
        name=name or function.__name__,
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=2,
        retry_delay_seconds=5,
        retry_condition_fn=_worth_retrying,
    )
    return decorate(function)


class Models(NamedTuple):
    """The models of a run, loaded once already to see that they are what they should be."""

    detector: FaceDetector
    embedders: tuple[FaceEmbedder, ...]


@flow(name="refine", validate_parameters=False, persist_result=False)
def refine(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE PATH...",
            help="Pairs of image-folder, ms-celeb, record-io "
            "or megaface and a path; NAME=PATH gives the source a name. Of megaface the paths may be options.",
        ),
    ],
    root: Annotated[str, typer.Option(help="Where the tables go: a folder, s3://, gs://. Run again to go on.")],
    detector: Annotated[
        str, typer.Option(help="Face detector: an ONNX file, SCRFD or YuNet, or an InsightFace pack (buffalo_l).")
    ],
    embedder: Annotated[
        str,
        typer.Option(
            help="Embedder: an ONNX file, 112x112, ArcFace kind, a checkpoint of `train`, or an InsightFace pack."
        ),
    ],
    second_embedder: Annotated[
        str,
        typer.Option(
            help="A second one, trained on other data: nothing is dropped, moved or merged unless both agree."
        ),
    ] = "",
    probes: Annotated[str, typer.Option(help="Of megaface: the probes, FaceScrub's folders of people.")] = "",
    gallery: Annotated[str, typer.Option(help="Of megaface: the distractors.")] = "",
    test_set: Annotated[
        list[str],
        typer.Option(help="A .bin, a pairs.txt or a folder whose people must not stay; may be given several times."),
    ] = [],  # noqa: B006  never changed; the command line reads it
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The photos are aligned crops already: keep them.")
    ] = False,
    flip: Annotated[str, typer.Option(help="The mirrored face's vector: none, add or concatenate.")] = "none",
    min_faces: Annotated[int, typer.Option(help="Photos; an identity with fewer left is removed.")] = 2,
    undecided: Annotated[str, typer.Option(help="What people should decide: keep or drop it.")] = "keep",
    shards: Annotated[int, typer.Option(help="Shards; 0: by the number of photos.")] = 0,
    workers: Annotated[str, typer.Option(help="Processes, or the address of a Dask scheduler; default: threads.")] = "",
    memory: Annotated[
        str,
        typer.Option(help="For searches among all persons, like 8GB; default: as much as they like."),
    ] = "",
) -> "Outcome":
    """Find and remove what is wrong in a face data set; every photo ends up kept or with a reason."""
    processes, memory_bytes = parse_workers(workers), parse_memory(memory)
    models = _check(detector, embedder, second_embedder, flip, undecided, min_faces)
    pairs = sources(_megaface(source, probes, gallery))
    with only_one(root):
        former = former_tables(root)
        indexed, where = stage(photos)(root, pairs, shards=shards or None, workers=processes)
        ignored = _ignored(where)
        test_photos = [_test_photos(root, path, processes) for path in test_set]
        faces = faces_of(
            root, indexed, where, models.detector, aligned=aligned, workers=processes, former=former.photos
        )
        embeddings = _embeddings(root, faces, models, processes, former=former.faces)
        tests = [_test_set(root, *test, models, processes) for test in test_photos]
        noise = stage(stages.find, name="noise")(
            root, faces, embeddings, tests=tests, workers=processes, memory_bytes=memory_bytes
        )
        labelling = stage(label)(
            root,
            indexed,
            noise,
            undecided=undecided,
            min_faces=min_faces,
            said=verdicts(root),
            workers=processes,
        )
        names = tuple(Path(p).name for p in test_set)
        options = RefineOptions(min_faces, undecided, aligned, where, names, ignored, RULES)
        refinement = Refinement(
            indexed,
            faces,
            tuple(embeddings),
            **noise._asdict(),
            **labelling._asdict(),
            test_faces=tuple(faces for faces, _ in tests),
            options=options,
        )
        publish(root, refinement)
        _tell(labelling.account, root)
        addresses = {role: f"{t.name}/{t.address}" for role, t in refinement.tables.items()}
        return Outcome(labelling.account, noise.thresholds | RULES, addresses, root)


def _check(detector: str, embedder: str, second: str, flip: str, undecided: str, min_faces: int) -> Models:
    """Everything that can be wrong with what was given is told before any work is done."""
    if undecided not in ("keep", "drop"):
        raise UserError(f"--undecided {undecided}: give keep or drop")
    if min_faces < 1:
        raise UserError(f"--min-faces {min_faces}: give 1 or more")
    embedders = tuple(embedder_of(m, flip) for m in (embedder, second) if m)
    return Models(OnnxDetector(find_model(detector, "detector")), embedders)


def _megaface(given: Sequence[str], probes: str, gallery: str) -> list[str]:
    """The pairs of kind and path, those that two options give among them."""
    if not probes and not gallery:
        return list(given)
    if not (probes and gallery):
        raise UserError(
            f"--{'probes' if probes else 'gallery'} alone: give --probes and --gallery, or one source with both"
        )
    rest = given[1:] if len(given) % 2 and given[0] == "megaface" else given
    return [*rest, "megaface", probes, "megaface", gallery]


def sources(given: Sequence[str]) -> list[Source]:
    """Pairs of kind and path as the command line gives them; a source is called by its path's last part."""
    if not given or len(given) % 2:
        raise UserError(
            f"give pairs of SOURCE and PATH (SOURCE is one of {', '.join(SOURCES)}), not {' '.join(given)!r}"
        )
    found = []
    for kind, path in zip(given[::2], given[1::2], strict=True):
        if kind not in SOURCES:
            raise UserError(f"no source is called {kind}: give one of {', '.join(SOURCES)}")
        name, _, rest = path.partition("=") if "=" in path and not Path(path).exists() else ("", "", path)
        found.append(Source(name or Path(rest).absolute().name, kind, str(Path(rest).absolute())))
    return found


def faces_of(
    root: str,
    taken: Table,
    where: Any,
    detector: FaceDetector,
    *,
    aligned: bool,
    workers: Workers = None,
    former: Table | None = None,
) -> Table:
    """The faces table of photos; where: each source's kind and path; aligned: the photos are crops already.

    former: the photos of an earlier run, whose faces need not be looked for again.
    """
    made: Table = stage(build, name="faces")(
        root,
        "faces",
        extract_shard,
        taken.shards,
        schema=schema.FACES,
        version=3,
        detector=detector,
        aligned=aligned,
        workers=workers,
        carry={"root": root, "where": where},
        before=alike(taken, former),
    )
    return made


def _embeddings(root: str, faces: Table, models: Models, many: Workers, former: Table | None = None) -> list[Table]:
    """Each embedder's embeddings of faces; former: the faces of an earlier run, which need not be embedded again."""
    embed, carry = stage(build, name="embeddings"), {"root": root, "batch": BATCH}
    with gpu():
        return [
            embed(
                root,
                "embeddings",
                embed_shard,
                faces.shards,
                schema=schema.embeddings(e.dim),
                version=2,
                embedder=e,
                workers=many,
                carry=carry,
                wants="GPU",
                before=alike(faces, former),
            )
            for e in models.embedders
        ]


def embedded(root: str, faces: Table, embedder: FaceEmbedder, *, workers: Workers = None) -> Table:
    """The embeddings table of faces by one model that is measured; a checkpoint takes larger batches."""
    carry = {"root": root, "batch": MANY if is_checkpoint(embedder.model) else BATCH}
    made: Table = stage(build, name="embeddings")(
        root,
        "embeddings",
        embed_shard,
        faces.shards,
        schema=schema.embeddings(embedder.dim),
        version=2,
        embedder=embedder,
        workers=workers,
        carry=carry,
        wants="GPU",
    )
    return made


def _ignored(where: dict[str, tuple[str, str]]) -> dict[str, dict[str, int]]:
    """How many files of each source are no photos, by reason: said, so that nobody takes them for lost."""
    found = {}
    for name, (kind, path) in where.items():
        count = getattr(find_source(kind), "ignored", None)
        found[name] = count(path) if count else {}
        for reason, files in found[name].items():
            log.info("%s: %d files ignored (%s)", name, files, reason)
    return found


def _test_photos(root: str, path: str, many: Workers) -> tuple[Table, Any, bool]:
    """The photos of a test set, where they lie, and whether they are aligned: those in a .bin are by definition."""
    given = Path(path).absolute()
    taken, where = stage(photos)(root, [Source(given.name, "benchmark", str(given))], workers=many)
    return taken, where, given.suffix == ".bin"


def _test_set(
    root: str, taken: Table, where: Any, aligned: bool, models: Models, many: Workers
) -> tuple[Table, list[Table]]:
    faces = faces_of(root, taken, where, models.detector, aligned=aligned, workers=many)
    return faces, _embeddings(root, faces, models, many)


def _tell(done: Account, root: str) -> None:
    """The account and the way to the result, on the run's page; nothing without a run."""
    if FlowRunContext.get() is None:
        return
    create_table_artifact(
        [{k: str(v) for k, v in row.items()} for row in done.rows()],
        key="account",
        description="Where every photo went",
    )
    link = root if "://" in root else Path(root).absolute().as_uri()
    create_link_artifact(link, link_text="the refined tables", key="refinement")


@dataclass(frozen=True)
class Outcome(Result):
    """A finished refinement: where every photo went, the thresholds that were used, and where the tables lie."""

    account: Account
    thresholds: dict[str, Any]
    tables: dict[str, str]
    root: str

    def rows(self) -> list[dict[str, object]]:
        """The account."""
        return self.account.rows()

    def lines(self) -> list[str]:
        """The thresholds, and what to do next."""
        a = self.account
        return [
            f"{a.identities_claimed} identities claimed, {a.identities_kept} kept, {a.moved} photos under another name",
            *[f"threshold {name}: {value}" for name, value in self.thresholds.items()],
            f"next: refinery labels {self.root} labels.tsv, or refinery export {self.root} OUT --format recordio",
        ]
