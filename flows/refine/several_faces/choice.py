"""The choice between the faces of photos that show several, as tables: between embeddings and the noise stages.

Without photos of several faces the tables stay those of the main faces, and no stage runs.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flows.prefect_runtime.task import as_task
from flows.refine.several_faces.companions import Companions, build_companions
from flows.refine.tables import SourcePaths, build_all_embeddings, card_turn
from pipeline import schema
from pipeline.faces.protocols import FaceDetector, FaceEmbedder
from pipeline.faces.several_faces.candidates import MIN_PX, MOST, Part, candidate_shard
from pipeline.faces.tombstones.tombstones import Tombstones
from pipeline.noise.calibration import read_calibration
from pipeline.noise.choice.choices import CHOICES, ChoicePart, choice_shard, median_norm
from pipeline.noise.choice.chosen import chosen_embeddings_shard, chosen_faces_shard
from pipeline.noise.choice.consensus import FitRates
from pipeline.noise.choice.doubts import DOUBT_FAR, DOUBTS, MIN_INSIDE, MIN_SHARE, doubt_shard
from pipeline.noise.choice.other_identities import NEAREST
from pipeline.noise.clusters import FALSE_LINKS
from pipeline.noise.face_quality.quality import QualityTables
from pipeline.noise.policy import Rates
from pipeline.noise.running.person_stages import PersonTables, find_persons, vector_lengths
from pipeline.noise.running.stage_run import References
from pipeline.noise.search.search_memory import SearchSize, block_memory
from pipeline.refinement import FormerTables
from pipeline.sources.index import earlier_shards
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table


class MainFaces(NamedTuple):
    """The photos of a data set, their faces by the detector's rule, and the embeddings of these by each embedder."""

    photos: Table
    faces: Table
    embeddings: Sequence[Table]


class ChosenFaces(NamedTuple):
    """The faces and embeddings in which the chosen faces stand, and the tables of the choice; None: not made."""

    faces: Table
    embeddings: Sequence[Table]
    candidates: Table | None = None
    doubts: Table | None = None
    further: tuple[Table, ...] = ()  # embeddings of `doubts`, by each embedder
    companions: Companions = Companions()


def build_candidates(
    root: str,
    main: MainFaces,
    source_paths: SourcePaths,
    detector: FaceDetector,
    *,
    workers: Workers = None,
    former: FormerTables,
    tombstones: Tombstones | None = None,
) -> Table:
    """The candidates table of photos and their faces. former: the tables of an earlier run, whose rows are reused.

    tombstones: of faces that were erased on request.
    """
    digests = [] if tombstones is None else [*tombstones.earlier, tombstones.digest]

    def parts_of_all_times(pairs: Sequence[tuple[Shard, Shard]]) -> list[Part]:
        return [*pairs, *((*pair, digest) for digest in digests for pair in pairs)]

    pairs: list[tuple[Shard, Shard]] = list(zip(main.photos.shards, main.faces.shards, strict=True))
    parts: list[Part] = list(pairs) if tombstones is None else [(*pair, tombstones.digest) for pair in pairs]
    both = (former.photos, former.faces) if former.photos is not None and former.faces is not None else (None, None)
    earlier = zip(*(earlier_shards(*pair) for pair in zip((main.photos, main.faces), both, strict=True)), strict=True)
    with card_turn(detector):
        table: Table = as_task(build, name="candidates")(
            root,
            "candidates",
            candidate_shard,
            parts,
            schema=schema.CANDIDATES,
            params={"detector": detector, "most": MOST, "min_px": MIN_PX},
            workers=workers,
            unhashed={"root": root, "locations": source_paths, "tombstones": tombstones},
            reuse=[parts_of_all_times(list(zip(*pair, strict=True))) for pair in earlier],
        )
    return table


def choose_faces(
    root: str,
    main: MainFaces,
    candidates: Table,
    models: tuple[FaceDetector, Sequence[FaceEmbedder]],
    *,
    references: References = (),
    quality: Callable[[], QualityTables] | None = None,
    groups: Table | None = None,
    workers: Workers = None,
    memory_bytes: int | None = None,
    former: FormerTables,
) -> ChosenFaces:
    """The faces of the photos, chosen by the photos of their identities. models: the detector and the embedders.

    references, quality, groups: as find_noise() gets them; quality is called when a photo shows several faces.
    """
    if not len(candidates):
        return ChosenFaces(main.faces, main.embeddings, candidates)
    _, embedders = models
    found = find_persons(
        root,
        main.faces,
        main.embeddings,
        references=references,
        quality=quality() if quality else None,
        groups=groups,
        workers=workers,
    )
    companions = build_companions(root, candidates, found, embedders, workers=workers, former=former.companions)
    doubts = _doubts(root, candidates, found, workers)
    if not len(doubts):
        return ChosenFaces(main.faces, main.embeddings, candidates, doubts, companions=companions)
    further = tuple(build_all_embeddings(root, doubts, embedders, workers=workers, former=former.doubts))
    choices = _choices(root, main, found, doubts, further, workers=workers, memory_bytes=memory_bytes)
    if not len(choices):
        return ChosenFaces(main.faces, main.embeddings, candidates, doubts, further, companions)
    return _chosen_faces(root, main, choices, models, candidates=candidates, further=further, workers=workers)._replace(
        candidates=candidates, doubts=doubts, further=further, companions=companions
    )


def _chosen_faces(
    root: str,
    main: MainFaces,
    choices: Table,
    models: tuple[FaceDetector, Sequence[FaceEmbedder]],
    *,
    candidates: Table,
    further: Sequence[Table],
    workers: Workers,
) -> ChosenFaces:
    """The tables of faces and embeddings in which the chosen faces stand; further: embeddings of `doubts`."""
    detector, embedders = models
    faces = build(
        root,
        "faces",
        chosen_faces_shard,
        list(zip(main.faces.shards, candidates.shards, choices.shards, strict=True)),
        schema=schema.FACES,
        params={"detector": detector},
        workers=workers,
        unhashed={"root": root},
    )
    embeddings = [
        build(
            root,
            "embeddings",
            chosen_embeddings_shard,
            list(zip(table.shards, of_further.shards, choices.shards, strict=True)),
            schema=schema.embeddings(embedder.dim),
            params={"embedder": embedder},
            workers=workers,
            unhashed={"root": root},
        )
        for table, of_further, embedder in zip(main.embeddings, further, embedders, strict=True)
    ]
    return ChosenFaces(faces, embeddings)


def _doubts(root: str, candidates: Table, found: PersonTables, workers: Workers) -> Table:
    return build(
        root,
        "doubts",
        doubt_shard,
        list(zip(candidates.shards, found.clusters.shards, found.persons.shards, strict=True)),
        schema=DOUBTS,
        params={"calibration": found.calibration.shards[0], "inside": MIN_INSIDE, "far": DOUBT_FAR, "share": MIN_SHARE},
        workers=workers,
        unhashed={"root": root},
    )


def _choices(
    root: str,
    main: MainFaces,
    found: PersonTables,
    doubts: Table,
    further: Sequence[Table],
    *,
    workers: Workers,
    memory_bytes: int | None,
) -> Table:
    rates = Rates()
    dims = vector_lengths(read_calibration(root, found.calibration.shards[0]))
    size = SearchSize("choices", len(doubts), len(found.persons), 0, dims)
    of_main, of_further = (zip(*(t.shards for t in tables), strict=True) for tables in (main.embeddings, further))
    parts = zip(of_main, found.copies.shards, found.clusters.shards, doubts.shards, of_further, strict=True)
    return build(
        root,
        "choices",
        choice_shard,
        [ChoicePart(*part) for part in parts],
        schema=CHOICES,
        params={
            "calibration": found.calibration.shards[0],
            "persons": found.persons.shards,
            "norms": [median_norm(table) for table in main.embeddings],
            "rates": FitRates(FALSE_LINKS, rates.outlier, rates.outlier_frr, rates.lenient),
            "misplaced": rates.misplaced,
            "support": rates.support,
            **({"groups": found.grouped} if found.grouped else {}),
        },
        workers=workers,
        unhashed={
            "root": root,
            "memory_bytes": block_memory(size, NEAREST, memory_bytes=memory_bytes, workers=workers),
        },
    )
