"""Embeddings of the faces beside the persons of few identities: impostors for the calibration."""

from collections.abc import Sequence
from typing import NamedTuple

from flows.refine.tables import build_all_embeddings
from pipeline.faces.protocols import FaceEmbedder
from pipeline.noise.choice.companions import companion_shard, sampled_hashes
from pipeline.noise.choice.doubts import DOUBT_FAR, DOUBTS, MIN_INSIDE, MIN_SHARE
from pipeline.noise.running.person_stages import PersonTables
from pipeline.noise.scores.calibrate import FEW_IDENTITIES
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Table


class Companions(NamedTuple):
    """Other people's faces in the photos, each without an identity, and for each embedder their embeddings."""

    faces: Table | None = None  # None: there are none, or the data set has enough identities
    embeddings: tuple[Table, ...] = ()


def build_companions(
    root: str,
    candidates: Table,
    found: PersonTables,
    embedders: Sequence[FaceEmbedder],
    *,
    workers: Workers = None,
    former: Table | None = None,
) -> Companions:
    """The companions of a data set of at most FEW_IDENTITIES identities.

    found: of the main faces. former: the companions of an earlier run, whose embeddings are reused.
    """
    identities = sum(
        int((rows["cluster"].to_numpy() == 0).sum()) for rows in found.persons.batches(["cluster"])
    )  # each has a first person
    if not len(candidates) or identities > FEW_IDENTITIES:
        return Companions()
    companions = build(
        root,
        "companions",
        companion_shard,
        list(zip(candidates.shards, found.clusters.shards, found.persons.shards, strict=True)),
        schema=DOUBTS,
        params={
            "calibration": found.calibration.shards[0],
            "inside": MIN_INSIDE,
            "far": DOUBT_FAR,
            "share": MIN_SHARE,
            "hashes": sampled_hashes(len(candidates)),
        },
        workers=workers,
        unhashed={"root": root},
    )
    if not len(companions):
        return Companions()
    embeddings = build_all_embeddings(root, companions, embedders, workers=workers, former=former)
    return Companions(companions, tuple(embeddings))
