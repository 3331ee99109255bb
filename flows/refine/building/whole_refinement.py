"""A whole refinement: all tables of a request, each built now or found."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flows.prefect_runtime.task import as_task
from flows.refine.calibration.groups import build_groups
from flows.refine.calibration.reference import reference_photos
from flows.refine.request import RefineRequest
from flows.refine.several_faces.choice import ChosenFaces, MainFaces, build_candidates, choose_faces
from flows.refine.source_pairs import survey_sources
from flows.refine.tables import (
    SourcePaths,
    build_all_embeddings,
    build_faces,
    build_photos,
    build_quality_tables,
    build_textures,
)
from flows.refine.test_sets import embed_test_set, index_test_set
from pipeline.faces.tombstones.tombstones import Tombstones, read_tombstones
from pipeline.noise import stages
from pipeline.noise.calibration import read_calibration
from pipeline.noise.clusters import ABSORB_FAR, FALSE_LINKS
from pipeline.noise.face_quality.quality import WEAK_SHARE, QualityTables
from pipeline.noise.person_gallery import PERSON_FAR
from pipeline.noise.pictures.similar_faces import MIN_CENTRE, MIN_SHIFTED
from pipeline.noise.policy import Rates
from pipeline.noise.running.stage_run import TestSets
from pipeline.refined.labels import label
from pipeline.refinement import FormerTables, Refinement, RefineOptions, former_tables, ledger_files
from pipeline.review.answers.votes import settled_verdicts
from pipeline.sources.index import check_named
from pipeline.tables.table import Table

# thresholds of the stages that form clusters and persons, before any finding is judged: false accept rates, a share of
# the score of a sharp face, and min_coarse and min_shifted, correlations of the means of blocks of two faces
CLUSTERING_RULES = {
    "far_link": FALSE_LINKS,
    "far_join": Rates().outlier,
    "far_absorb": ABSORB_FAR,
    "far_doubt": PERSON_FAR,
    "weak_share": WEAK_SHARE,
    "min_coarse": MIN_CENTRE,
    "min_shifted": MIN_SHIFTED,
}
# embeddings of other people, and the groups of the data's identities, where there are any
CalibratedBy = tuple[Sequence[Sequence[Table]], Table | None]


def build_refinement(root: str, request: RefineRequest) -> Refinement:
    """The refinement of a request: all its tables, each built now or found. It is in force once it is published."""
    workers, embedders = request.workers, request.models.embedders
    former, tombstones = former_tables(root), read_tombstones(root)
    ignored = survey_sources(request.sources)  # first, so that a wrong layout is reported before the long work
    photos, source_paths = build_photos(root, request.sources, shards=request.shards, workers=workers)
    check_named(photos, request.sources)
    indexed_tests = [index_test_set(root, path, workers=workers) for path in request.test_sets]
    # before the long work on the data, because a test set without a face is refused
    tests = [embed_test_set(root, test, request.models, workers=workers) for test in indexed_tests]
    groups = build_groups(root, photos, request.groups)
    reference = reference_photos(root, photos, request.references, request.models, workers=workers)
    faces = build_faces(
        root,
        photos,
        source_paths,
        request.models.detector,
        aligned=request.aligned,
        workers=workers,
        former=former.photos,
        tombstones=tombstones,
    )
    main = MainFaces(photos, faces, build_all_embeddings(root, faces, embedders, workers=workers, former=former.faces))
    chosen = _choose_faces(root, request, main, source_paths, (former, tombstones), (reference.embeddings, groups))
    measured = former.faces if chosen.faces is main.faces else main.faces  # whose rows are reused
    quality = _quality_tables(root, request, chosen.faces, measured)
    noise = _find_noise(root, request, chosen, tests, (reference.embeddings, groups), quality)
    files = tuple(ledger_files(root))  # before the verdicts are read: the labels have all that is in these files
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
        references=(*reference.tables, *chosen.companions.embeddings),
        companions=chosen.companions.faces,
        options=options,
        ledger=files,
    )


def _find_noise(
    root: str,
    request: RefineRequest,
    chosen: ChosenFaces,
    tests: TestSets,
    calibrated_by: CalibratedBy,
    quality: QualityTables,
) -> stages.Noise:
    """The noise of the chosen faces; of few identities the faces beside their persons calibrate, too."""
    references, groups = calibrated_by
    textures = build_textures(root, chosen.faces, workers=request.workers) if request.textures else None
    noise: stages.Noise = as_task(stages.find_noise, name="noise")(
        root,
        chosen.faces,
        chosen.embeddings,
        tests=tests,
        rates=request.rates,
        references=references,
        companions=[chosen.companions.embeddings] if chosen.companions.faces else [],
        quality=quality,
        groups=groups,
        textures=textures,
        workers=request.workers,
        memory_bytes=request.memory_bytes,
    )
    return noise


def _quality_tables(root: str, request: RefineRequest, faces: Table, former: Table | None) -> QualityTables:
    models = request.models
    return build_quality_tables(root, faces, models.embedders, models.quality, workers=request.workers, former=former)


def _choose_faces(
    root: str,
    request: RefineRequest,
    main: MainFaces,
    source_paths: SourcePaths,
    earlier: tuple[FormerTables, Tombstones | None],
    calibrated_by: CalibratedBy,
) -> ChosenFaces:
    """The faces that show the photos' persons; aligned crops show one face each.

    earlier: the tables of an earlier run, and the tombstones of what was erased since.
    """
    former, tombstones = earlier
    if request.aligned or not request.choose:
        return ChosenFaces(main.faces, main.embeddings)
    workers, models = request.workers, request.models
    references, groups = calibrated_by
    candidates = build_candidates(
        root, main, source_paths, models.detector, workers=workers, former=former, tombstones=tombstones
    )
    return choose_faces(
        root,
        main,
        candidates,
        (models.detector, models.embedders),
        references=references,
        groups=groups,
        quality=lambda: _quality_tables(root, request, main.faces, former.faces),
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
        boxes=tuple(Path(path).name for path in request.sources[0].boxes),
        rules=CLUSTERING_RULES,
        request=request.record(),
    )
