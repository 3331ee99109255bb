"""`refinery refine`: all stages from photos to a refined data set, in their order.

Prefect gives order, retries, history and artifacts. Without its decorators the flow runs and resumes all the same:
every stage is a table that is built once and found again by the next run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    LostPerNoise,
    Memory,
    MinFaces,
    Probes,
    Quality,
    References,
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
from flows.refine.calibration.reference import reference_photos
from flows.refine.request import RefineRequest
from flows.refine.results import RefineResult, publish_artifacts
from flows.refine.several_faces.choice import ChosenFaces, MainFaces, build_candidates, choose_faces
from flows.refine.source_pairs import survey_sources
from flows.refine.tables import SourcePaths, build_all_embeddings, build_faces, build_photos, build_quality_tables
from flows.refine.test_sets import embed_test_set, index_test_set
from pipeline.lost_answers import check_answers
from pipeline.noise import stages
from pipeline.noise.calibration import read_calibration
from pipeline.noise.clusters import ABSORB_FAR, FALSE_LINKS, JOIN_FAR
from pipeline.noise.face_quality.quality import WEAK_SHARE, QualityTables
from pipeline.noise.person_gallery import PERSON_FAR
from pipeline.noise.pictures.similar_faces import MIN_CENTRE
from pipeline.refined.labels import label
from pipeline.refinement import FormerTables, Refinement, RefineOptions, former_tables, publish
from pipeline.review.answers.votes import settled_verdicts
from pipeline.root_lock import root_lock
from pipeline.tables.table import Table

# thresholds of the stages that form clusters and persons, before any finding is judged: false accept rates, a share of
# the score of a sharp face, and min_coarse, a correlation of pixels
EARLY_RATES = {
    "far_link": FALSE_LINKS,
    "far_join": JOIN_FAR,
    "far_absorb": ABSORB_FAR,
    "far_doubt": PERSON_FAR,
    "weak_share": WEAK_SHARE,
    "min_coarse": MIN_CENTRE,
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
    quality: Quality = "",
    probes: Probes = "",
    gallery: Gallery = "",
    test_set: TestSets = NONE_GIVEN,
    reference: References = NONE_GIVEN,
    aligned: Aligned = False,
    flip: Flip = "none",
    min_faces: MinFaces = 2,
    undecided: Undecided = "keep",
    lost_per_noise: LostPerNoise = 0.6,
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
        quality=quality,
        probes=probes,
        gallery=gallery,
        test_set=test_set,
        reference=reference,
        aligned=aligned,
        flip=flip,
        min_faces=min_faces,
        undecided=undecided,
        lost_per_noise=lost_per_noise,
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
    reference = reference_photos(root, photos, request.references, request.models, workers=workers)
    faces = build_faces(
        root,
        photos,
        source_paths,
        request.models.detector,
        aligned=request.aligned,
        workers=workers,
        former=former.photos,
    )
    main = MainFaces(photos, faces, build_all_embeddings(root, faces, embedders, workers=workers, former=former.faces))
    chosen = _choose_faces(root, request, main, source_paths, former, reference.embeddings)
    quality = _quality_tables(root, request, chosen.faces, former)
    noise = as_task(stages.find_noise, name="noise")(
        root,
        chosen.faces,
        chosen.embeddings,
        tests=tests,
        rates=request.rates,
        references=[*reference.embeddings, *([chosen.companions] if chosen.companions else [])],
        quality=quality,
        workers=workers,
        memory_bytes=request.memory_bytes,
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
    options = _options(request, source_paths, ignored)
    basis = read_calibration(root, noise.calibration.shards[0]).basis
    options = replace(options, references=reference.names, calibration=basis._asdict())
    return Refinement(
        photos,
        chosen.faces,
        tuple(chosen.embeddings),
        main_faces=main.faces,
        main_embeddings=tuple(main.embeddings),
        candidates=chosen.candidates,
        doubts=chosen.doubts,
        further_embeddings=chosen.further,
        **noise._asdict(),
        **labelling._asdict(),
        **quality._asdict(),
        test_faces=tuple(test.faces for test in tests),
        references=reference.tables,
        options=options,
    )


def _quality_tables(root: str, request: RefineRequest, faces: Table, former: FormerTables) -> QualityTables:
    models = request.models
    return build_quality_tables(
        root, faces, models.embedders, models.quality, workers=request.workers, former=former.faces
    )


def _choose_faces(
    root: str,
    request: RefineRequest,
    main: MainFaces,
    source_paths: SourcePaths,
    former: FormerTables,
    references: Sequence[Sequence[Table]],
) -> ChosenFaces:
    """The faces that show the photos' persons; aligned crops show one face each."""
    if request.aligned or not request.choose:
        return ChosenFaces(main.faces, main.embeddings)
    workers, models = request.workers, request.models
    candidates = build_candidates(root, main, source_paths, models.detector, workers=workers, former=former)
    return choose_faces(
        root,
        main,
        candidates,
        (models.detector, models.embedders),
        references=references,
        quality=lambda: _quality_tables(root, request, main.faces, former),
        workers=workers,
        memory_bytes=request.memory_bytes,
        former=former,
    )


def _options(
    request: RefineRequest, source_paths: SourcePaths, ignored: Mapping[str, Mapping[str, int]]
) -> RefineOptions:
    """The options of a request as a refinement records them."""
    folder_options = [source.options for source in request.sources]
    return RefineOptions(
        request.min_faces,
        request.undecided,
        request.aligned,
        source_paths,
        tuple(Path(path).name for path in request.test_sets),
        ignored,
        request.models.files,
        follow_links=any(o.follow_links for o in folder_options),
        identity_level=max(o.identity_level for o in folder_options),
        rules=EARLY_RATES,
    )
