"""The photos, faces and embeddings tables as every flow builds them: made once, then found again."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from flows.prefect_runtime.gpu_limit import gpu
from flows.prefect_runtime.task import as_task
from flows.refine.building.read_again import parts_read_again
from pipeline import schema
from pipeline.faces.embed import BATCH, embed_shard
from pipeline.faces.extract import extract_shard
from pipeline.faces.face_quality.degraded_faces import degraded_schema, degraded_shard
from pipeline.faces.face_quality.quality_model import MEASURES, FaceQualityModel, measure_shard
from pipeline.faces.protocols import FaceDetector, FaceEmbedder, OnCard
from pipeline.faces.rows.face_row import PartWithTombstones, PhotosReadAgain
from pipeline.faces.texture.texture_tables import BASIS, TEXTURES, basis_shard, texture_shard
from pipeline.faces.tombstones.tombstones import Tombstones
from pipeline.noise.face_quality.quality import QualityTables
from pipeline.sources.index import Source, SourceLocation, earlier_shards, index_photos
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Shard, Table

SourcePaths = Mapping[str, SourceLocation]  # by the source's name: its kind and path


def build_photos(
    root: str, sources: Sequence[Source], *, shards: int | None = None, workers: Workers = None
) -> tuple[Table, SourcePaths]:
    """The photos table of some sources, and where each source lies.

    shards: how many; by default by the number of photos. Raises UserError where there is no photo.
    """
    photos, source_paths = as_task(index_photos, name="photos")(root, sources, shards=shards, workers=workers)
    return photos, source_paths


def build_faces(
    root: str,
    photos: Table,
    source_paths: SourcePaths,
    detector: FaceDetector,
    *,
    aligned: bool,
    workers: Workers = None,
    former: Table | None = None,
    tombstones: Tombstones | None = None,
) -> Table:
    """The faces table of a photos table: one aligned face a photo, or the reason why there is none.

    source_paths: where the photos lie. aligned: the photos are aligned crops already; the detector is not used.
    former: the photos of an earlier run, whose faces are reused. tombstones: of photos that were erased on request.
    Photos that could not be read when the table was made, and can be now, are read again. Raises SourceUnreachable when
    a source does not answer.
    """

    def make(plain: Sequence[Shard | PhotosReadAgain], earlier: list[list[Shard]]) -> Table:
        parts = plain if tombstones is None else [PartWithTombstones(part, tombstones.digest) for part in plain]
        table: Table = as_task(build, name="faces")(
            root,
            "faces",
            extract_shard,
            parts,
            schema=schema.FACES,
            version=4 if aligned else 3,  # transparent crops are stored as JPEG since 4
            params={"detector": detector, "aligned": aligned},
            workers=workers,
            unhashed={"root": root, "locations": source_paths, "tombstones": tombstones},
            reuse=[parts_before_erasures(shards, tombstones) for shards in earlier],
        )
        return table

    with card_turn(detector):
        table = make(photos.shards, earlier_shards(photos, former))
        parts = parts_read_again(photos, table, source_paths)
        return make(parts, [[shard] for shard in photos.shards]) if parts != photos.shards else table


def card_turn(detector: FaceDetector) -> AbstractContextManager[None]:
    """For the block in which faces are detected: where a card does it, runs that use the card wait for each other."""
    return gpu() if isinstance(detector, OnCard) and detector.on_card else nullcontext()


def parts_before_erasures(shards: Sequence[Shard], tombstones: Tombstones | None) -> list[Shard | PartWithTombstones]:
    """The parts of faces that earlier runs made from some shards of photos: before the first erasure, and after each.

    The oldest come first.
    """
    digests = [] if tombstones is None else [*tombstones.earlier, tombstones.digest]
    return [*shards, *(PartWithTombstones(shard, digest) for digest in digests for shard in shards)]


def build_embeddings(
    root: str,
    faces: Table,
    embedder: FaceEmbedder,
    *,
    workers: Workers = None,
    former: Table | None = None,
    batch: int = BATCH,
) -> Table:
    """The embeddings table of a faces table by one embedder.

    former: the faces of an earlier run, whose embeddings are reused. batch: faces that the model gets at a time.
    """
    table: Table = as_task(build, name="embeddings")(
        root,
        "embeddings",
        embed_shard,
        faces.shards,
        schema=schema.embeddings(embedder.dim),
        version=2,
        params={"embedder": embedder},
        workers=workers,
        unhashed={"root": root, "batch": batch},
        resource="GPU",
        reuse=earlier_shards(faces, former),
    )
    return table


def build_all_embeddings(
    root: str,
    faces: Table,
    embedders: Sequence[FaceEmbedder],
    *,
    workers: Workers = None,
    former: Table | None = None,
) -> list[Table]:
    """The embeddings tables of a faces table, one for each embedder; runs that share a GPU wait for each other."""
    with gpu():
        return [build_embeddings(root, faces, e, workers=workers, former=former) for e in embedders]


def build_textures(root: str, faces: Table, *, workers: Workers = None) -> Table:
    """The textures table of a faces table. Its principal components are those of the same faces."""
    run: dict[str, Any] = {"workers": workers, "unhashed": {"root": root}}
    parts = [tuple(faces.shards)]
    basis: Table = as_task(build, name="texture_basis")(root, "texture_basis", basis_shard, parts, schema=BASIS, **run)
    params = {"basis": basis.shards[0]}
    textures: Table = as_task(build, name="textures")(
        root, "textures", texture_shard, faces.shards, schema=TEXTURES, params=params, **run
    )
    return textures


def build_quality_tables(
    root: str,
    faces: Table,
    embedders: Sequence[FaceEmbedder],
    quality_model: FaceQualityModel | None = None,
    *,
    workers: Workers = None,
    former: Table | None = None,
) -> QualityTables:
    """The tables from which the qualities of faces are computed; with a face-quality model also its output for each.

    former: the faces of an earlier run, whose measures are reused.
    """
    with gpu():
        degraded: Table = as_task(build, name="degraded")(
            root,
            "degraded",
            degraded_shard,
            [tuple(faces.shards)],
            schema=degraded_schema([e.dim for e in embedders]),
            params={"embedders": list(embedders), "quality_model": quality_model},
            workers=workers,
            unhashed={"root": root, "batch": BATCH},
            resource="GPU",
        )
        if quality_model is None:
            return QualityTables(degraded)
        measures: Table = as_task(build, name="measures")(
            root,
            "measures",
            measure_shard,
            faces.shards,
            schema=MEASURES,
            params={"quality_model": quality_model},
            workers=workers,
            unhashed={"root": root, "batch": BATCH},
            resource="GPU",
            reuse=earlier_shards(faces, former),
        )
    return QualityTables(degraded, measures)
