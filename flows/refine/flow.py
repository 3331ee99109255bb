"""`refinery refine`: all stages from photos to a refined data set, in their order.

Prefect gives order, retries, history and artifacts. Without its decorators the flow runs and resumes all the same:
every stage is a table that is built once and found again by the next run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.cli.options import (
    NONE_GIVEN,
    Aligned,
    DaskWorkers,
    Detector,
    Embedder,
    Flip,
    FollowLinks,
    Gallery,
    IdentityLevel,
    Memory,
    MinFaces,
    Probes,
    Root,
    SecondEmbedder,
    Shards,
    Sources,
    TestSets,
    Undecided,
    WithoutLostAnswers,
)
from flows.prefect_runtime.recorded_flow import recorded_flow
from flows.prefect_runtime.task import as_task
from flows.refine.request import RefineRequest
from flows.refine.results import RefineResult, publish_artifacts
from flows.refine.source_pairs import survey_sources
from flows.refine.tables import build_all_embeddings, build_faces, build_photos
from flows.refine.test_sets import embed_test_set, index_test_set
from pipeline.lost_answers import check_answers
from pipeline.noise import stages
from pipeline.noise.clusters import ABSORB_FAR, FALSE_LINKS, JOIN_FAR
from pipeline.noise.person_gallery import PERSON_FAR
from pipeline.noise.pictures.same_picture import MIN_COARSE
from pipeline.refined.labels import label
from pipeline.refinement import Refinement, RefineOptions, former_tables, publish
from pipeline.review.answers.votes import settled_verdicts
from pipeline.root_lock import root_lock

# thresholds of the stages that form clusters and persons, before any finding is judged: false accept rates, and
# min_coarse, a correlation of pixels
EARLY_RATES = {
    "far_link": FALSE_LINKS,
    "far_join": JOIN_FAR,
    "far_absorb": ABSORB_FAR,
    "far_doubt": PERSON_FAR,
    "min_coarse": MIN_COARSE,
}


def _check(options: Mapping[str, Any]) -> None:
    """Raise UserError for mistakes in the options of refine."""
    RefineRequest.parse(**{n: value for n, value in options.items() if n not in ("root", "without_lost_answers")})


@recorded_flow("refine", check=_check)
def refine(
    root: Root,
    source: Sources,
    detector: Detector,
    embedder: Embedder,
    *,
    second_embedder: SecondEmbedder = "",
    probes: Probes = "",
    gallery: Gallery = "",
    test_set: TestSets = NONE_GIVEN,
    aligned: Aligned = False,
    flip: Flip = "none",
    min_faces: MinFaces = 2,
    undecided: Undecided = "keep",
    shards: Shards = 0,
    workers: DaskWorkers = "",
    memory: Memory = "",
    follow_links: FollowLinks = False,
    identity_level: IdentityLevel = 0,
    without_lost_answers: WithoutLostAnswers = False,
) -> RefineResult:
    """Find and remove what is wrong in a face data set; every photo ends up kept or with a reason.

    The same command goes on where it was stopped, and processes only new photos. People in a --test-set are removed.
    """
    request = RefineRequest.parse(
        source,
        detector,
        embedder,
        second_embedder=second_embedder,
        probes=probes,
        gallery=gallery,
        test_set=test_set,
        aligned=aligned,
        flip=flip,
        min_faces=min_faces,
        undecided=undecided,
        shards=shards,
        workers=workers,
        memory=memory,
        follow_links=follow_links,
        identity_level=identity_level,
    )
    with root_lock(root):
        if not without_lost_answers:
            check_answers(root)
        refinement = build_refinement(root, request)
        publish(root, refinement)
    publish_artifacts(refinement.account, root)
    return RefineResult.of(refinement)


def build_refinement(root: str, request: RefineRequest) -> Refinement:
    """The refinement of a request: all its tables, each built now or found. It is in force once it is published."""
    workers, embedders = request.workers, request.models.embedders
    former = former_tables(root)
    ignored = survey_sources(request.sources)  # before any photo is read, so that a wrong layout is told in time
    photos, source_paths = build_photos(root, request.sources, shards=request.shards, workers=workers)
    indexed_tests = [index_test_set(root, path, workers=workers) for path in request.test_sets]
    # before the long work on the data, because a test set without a face is refused
    tests = [embed_test_set(root, test, request.models, workers=workers) for test in indexed_tests]
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
    noise = as_task(stages.find_noise, name="noise")(
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
    test_names = tuple(Path(path).name for path in request.test_sets)
    folder_options = [source.options for source in request.sources]
    options = RefineOptions(
        request.min_faces,
        request.undecided,
        request.aligned,
        source_paths,
        test_names,
        ignored,
        request.models.files,
        follow_links=any(o.follow_links for o in folder_options),
        identity_level=max(o.identity_level for o in folder_options),
        rules=EARLY_RATES,
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
