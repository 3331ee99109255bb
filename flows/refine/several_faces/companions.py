"""Embeddings of the faces beside the persons of few identities: impostors for the calibration."""

from collections.abc import Sequence

from flows.refine.tables import build_all_embeddings
from pipeline.faces.protocols import FaceEmbedder
from pipeline.noise.choice.companions import FEW_IDENTITIES, companion_shard, sampled_hashes
from pipeline.noise.choice.doubts import DOUBT_FAR, DOUBTS, MIN_INSIDE, MIN_SHARE
from pipeline.noise.running.person_stages import PersonTables
from pipeline.tables.build import Workers, build
from pipeline.tables.table import Table


def companion_embeddings(
    root: str, candidates: Table, found: PersonTables, embedders: Sequence[FaceEmbedder], *, workers: Workers = None
) -> list[Table]:
    """For each embedder the embeddings of other people's faces, each without an identity.

    Empty where the data set has more than FEW_IDENTITIES identities, or no such face. found: of the main faces.
    """
    identities = sum(
        int((rows["cluster"].to_numpy() == 0).sum()) for rows in found.persons.batches(["cluster"])
    )  # each has a first person
    if not len(candidates) or identities > FEW_IDENTITIES:
        return []
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
    return build_all_embeddings(root, companions, embedders, workers=workers) if len(companions) else []
