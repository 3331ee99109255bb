"""The known table: unnamed photos, such as MegaFace's million distractors, that may show a person of the data.

Its findings are of the kind misplaced. People are asked about the uncertain ones; no label depends on them.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.noise.calibration import read_calibration
from pipeline.noise.face_quality.quality import weak_faces
from pipeline.noise.findings import findings_table
from pipeline.noise.person_gallery import PersonGallery, read_persons
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import all_impostor_stats
from pipeline.noise.search.candidates import best_matches
from pipeline.tables.columns import read_vectors, texts
from pipeline.tables.table import Shard, Table, read_shard

NEAREST = 3  # persons that an unnamed face is compared with


def known_shard(
    part: tuple[tuple[Shard, ...], *tuple[Shard, ...]],
    *,
    root: str,
    calibration: Shard,
    persons: Sequence[Shard],
    rate: float,
    memory_bytes: int | None = None,
) -> pa.Table:
    """The persons whom the unnamed faces of one shard may show; part: the shards of each embedder's embeddings, and
    perhaps of qualities.

    persons: all shards of the persons table; rate: expected false alarms for each face among all persons;
    memory_bytes: how much the blocks of the search may take. Weak faces (face_quality/quality.py) are left out.
    """
    score_calibration = read_calibration(root, calibration)
    gallery = first_persons(root, tuple(persons), calibration)
    embeddings, *quality = part
    x, valid = read_vectors(root, embeddings)
    rows = read_shard(root, embeddings[0], ["face_id", "identity"])
    valid &= ~weak_faces(root, quality, faces=len(rows))
    unnamed = np.flatnonzero(valid & np.asarray(rows["identity"].is_null()))
    if not len(unnamed) or not len(gallery.person):
        return schema.FINDINGS.empty_table()
    faces = all_impostor_stats([v[unnamed] for v in x], score_calibration)
    matches = best_matches(faces, gallery.gallery, score_calibration, k=NEAREST, memory_bytes=memory_bytes)
    min_score = threshold_at_far(score_calibration.fused_curve, rate / len(gallery.person))
    matches = matches.select(matches.fused >= min_score)
    evidence = [f"likeness {score:.1f} of an unnamed photo" for score in matches.scores[0]]
    ids = texts(rows["face_id"])[unnamed[matches.query]]
    return findings_table("misplaced", ids, gallery.person[matches.row], matches.scores, evidence)


def has_unnamed_photos(embeddings: Table) -> bool:
    """Whether the data set has photos without a claimed identity."""
    return any(rows["identity"].null_count for rows in embeddings.batches(["identity"]))


@lru_cache(maxsize=1)
def first_persons(root: str, shards: tuple[Shard, ...], calibration: Shard) -> PersonGallery:
    """The first person of each identity; cached in the process. For the parameters see read_persons()."""
    return read_persons(root, shards, calibration).first_of_identities()
