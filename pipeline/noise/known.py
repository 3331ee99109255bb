"""The known table: unnamed photos that may show a person of the data (misplaced).

Such as MegaFace's million distractors. People are asked about the uncertain ones; no label rests on these findings.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.noise.calibration import read_calibration
from pipeline.noise.findings import findings_table
from pipeline.noise.person_gallery import PersonGallery, read_persons
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import all_impostor_stats
from pipeline.noise.search.candidates import best_matches
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.table import Shard, Table, read_shard

NEAREST = 3  # persons that an unnamed face is compared with


def known_shard(
    part: tuple[Shard, ...],
    *,
    root: str,
    calibration: Shard,
    persons: Sequence[Shard],
    rate: float,
    memory_bytes: int | None = None,
) -> pa.Table:
    """Whom the unnamed faces of one shard may show; part: each embedder's embeddings; persons: all shards of them.

    rate: false alarms to expect among all persons for each face; memory_bytes: of the blocks of the search.
    """
    score_calibration = read_calibration(root, calibration)
    gallery = first_persons(root, tuple(persons), calibration)
    x, valid = read_vectors(root, part)
    rows = read_shard(root, part[0], ["face_id", "identity"])
    at = np.flatnonzero(valid & np.asarray(rows["identity"].is_null()))
    if not len(at) or not len(gallery.person):
        return schema.FINDINGS.empty_table()
    faces = all_impostor_stats([v[at] for v in x], score_calibration)
    matches = best_matches(faces, gallery.gallery, score_calibration, k=NEAREST, memory_bytes=memory_bytes)
    min_score = threshold_at_far(score_calibration.fused_curve, rate / len(gallery.person))
    matches = matches.where(matches.fused >= min_score)
    evidence = [f"likeness {score:.1f} of an unnamed photo" for score in matches.scores[0]]
    ids = texts(rows["face_id"])[at[matches.query]]
    return findings_table("misplaced", ids, gallery.person[matches.row], matches.scores, evidence)


def has_unnamed(embeddings: Table) -> bool:
    """Whether there is an unnamed photo at all."""
    return any(rows["identity"].null_count for rows in embeddings.batches(["identity"]))


@lru_cache(maxsize=1)
def first_persons(root: str, shards: tuple[Shard, ...], model: Shard) -> PersonGallery:
    """The first person of each identity; model: the shard of the calibration. Kept by the process: see read_persons."""
    return read_persons(root, shards, model).first_of_identities()
