"""The doubts table: the further faces of those photos whose main face may be another person's.

Only these faces are embedded, because that costs as much as embedding a photo's main face. A main face is in doubt
unless it is in the cluster of its identity's person, and the person is in most photos of the identity.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.calibration import read_calibration
from pipeline.noise.person_gallery import comparable
from pipeline.noise.persons import PERSON_COLUMNS
from pipeline.noise.scores.far_curve import threshold_at_far
from pipeline.noise.scores.fusion import Calibration
from pipeline.tables.columns import Mask, texts
from pipeline.tables.table import Shard, read_shard

# FAR, each embedder: a main face whose score with its person is lower is in doubt. It is stricter than the rule of
# outliers, which a face of another person passes now and then
DOUBT_FAR = 1e-4
MIN_INSIDE = 0.95  # of an aligned face: the border of the photo cuts faces that are there by chance
MIN_SHARE = 0.5  # of the identity's photos: a person in fewer may be one who is beside the identity's person
DOUBTS = pa.schema(
    [
        ("face_id", pa.string()),  # of the further face
        ("identity", pa.string()),
        ("photo", pa.string()),  # face_id of the photo
        ("jpeg", pa.binary()),
    ]
)


def doubt_shard(
    part: tuple[Shard, Shard, Shard], *, root: str, calibration: Shard, inside: float, far: float, share: float
) -> pa.Table:
    """The further faces of the photos in doubt of one shard; part: the shards of candidates, clusters and persons.

    inside: share of a further face that must lie in the photo, or it is left out. far: FAR, each embedder; a main face
    with a lower score with its person is in doubt. share: of an identity's faces; where its person has fewer, all its
    photos are in doubt.
    """
    further = read_shard(root, part[0], [*DOUBTS.names, "inside"])
    further = further.filter(pc.greater_equal(further["inside"], inside)).select(DOUBTS.names)
    if not len(further):
        return DOUBTS.empty_table()
    clusters, persons = read_shard(root, part[1]), read_shard(root, part[2], PERSON_COLUMNS)
    doubtful = in_doubt(clusters, persons, read_calibration(root, calibration), far=far, share=share)
    photos = clusters["face_id"].filter(pa.array(doubtful)).combine_chunks()
    return further.filter(pc.is_in(further["photo"], value_set=photos))


def in_doubt(clusters: pa.Table, persons: pa.Table, calibration: Calibration, *, far: float, share: float) -> Mask:
    """Which photos [n] have a main face in doubt; clusters: a row for each photo."""
    size, of = persons["size"].to_numpy(), persons["of"].to_numpy()
    clear = comparable(persons, calibration) & (persons["cluster"].to_numpy() == 0) & (size > 1) & (size >= share * of)
    has_person = np.isin(texts(clusters["identity"]).astype(str), texts(persons["identity"])[clear].astype(str))
    inside = clusters["cluster"].fill_null(-1).to_numpy() == 0
    for name, curve in zip(("core", "second"), calibration.far_curves, strict=False):
        scores = clusters[name].to_numpy(zero_copy_only=False)
        with np.errstate(invalid="ignore"):
            inside &= scores >= threshold_at_far(curve, far)
    return np.asarray(~(inside & has_person))
