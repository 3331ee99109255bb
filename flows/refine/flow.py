"""From photos to a refined data set: the whole story on one screen.

Prefect gives order, retries, history and artifacts; without its decorators the flow runs and resumes just the same,
because every stage is a table that is made once and then found.
"""

from pathlib import Path
from typing import Annotated

import typer
from prefect import flow

from flows.prefect_runtime.task import as_task
from flows.refine.models import load_models
from flows.refine.request import RefineRequest
from flows.refine.results import RefineResult, publish_artifacts
from flows.refine.source_pairs import count_ignored_files, parse_sources
from flows.refine.tables import build_all_embeddings, build_faces, build_photos
from flows.refine.take_out import parse_memory, parse_workers
from flows.refine.test_sets import embed_test_set, index_test_set
from pipeline.noise import stages
from pipeline.noise.clusters import ABSORB_FAR, FALSE_LINKS, JOIN_FAR
from pipeline.noise.person_gallery import PERSON_FAR
from pipeline.noise.pictures.same_picture import MIN_COARSE
from pipeline.refined.labels import label
from pipeline.refinement import Refinement, RefineOptions, former_tables, publish
from pipeline.review.answers.votes import settled_verdicts
from pipeline.root_lock import root_lock

# false accept rates by which clusters and persons are formed before any finding is judged; min_coarse is a
# correlation of pixels
EARLY_RATES = {
    "far_link": FALSE_LINKS,
    "far_join": JOIN_FAR,
    "far_absorb": ABSORB_FAR,
    "far_doubt": PERSON_FAR,
    "min_coarse": MIN_COARSE,
}


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
) -> RefineResult:
    """Find and remove what is wrong in a face data set; every photo ends up kept or with a reason."""
    request = RefineRequest(
        parse_sources(source, probes=probes, gallery=gallery),
        load_models(detector, embedder, second_embedder, flip=flip),
        test_set,
        aligned,
        undecided,
        min_faces,
        shards or None,
        parse_workers(workers),
        parse_memory(memory),
    )
    with root_lock(root):
        refinement = build_refinement(root, request)
        publish(root, refinement)
    publish_artifacts(refinement.account, root)
    return RefineResult.of(refinement)


def build_refinement(root: str, request: RefineRequest) -> Refinement:
    """The refinement's tables in their order, each made now or found; nothing is in force before it is published."""
    workers, embedders = request.workers, request.models.embedders
    former = former_tables(root)
    photos, source_paths = build_photos(root, request.sources, shards=request.shards, workers=workers)
    ignored = count_ignored_files(source_paths)
    indexed_tests = [index_test_set(root, path, workers=workers) for path in request.test_sets]
    faces = build_faces(
        root,
        photos,
        source_paths,
        request.models.detector,
        aligned=request.aligned,
        workers=workers,
        former=former.photos,
    )
    embeddings = build_all_embeddings(root, faces, embedders, workers=workers, former=former.faces)
    tests = [embed_test_set(root, test, request.models, workers=workers) for test in indexed_tests]
    noise = as_task(stages.find, name="noise")(
        root, faces, embeddings, tests=tests, workers=workers, memory_bytes=request.memory_bytes
    )
    labelling = as_task(label)(
        root,
        photos,
        noise,
        undecided=request.undecided,
        min_faces=request.min_faces,
        verdicts=settled_verdicts(root),
        workers=workers,
    )
    names = tuple(Path(path).name for path in request.test_sets)
    options = RefineOptions(
        request.min_faces, request.undecided, request.aligned, source_paths, names, ignored, EARLY_RATES
    )
    return Refinement(
        photos,
        faces,
        tuple(embeddings),
        **noise._asdict(),
        **labelling._asdict(),
        test_faces=tuple(test.faces for test in tests),
        options=options,
    )
