"""The companions table: faces beside the persons of few identities, for the calibration.

Two faces of one photo are two people. Where a photo's main face surely shows its person, the further faces are other
people's: impostors, of which a data set of few identities has too few.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.noise.calibration import read_calibration
from pipeline.noise.choice.doubts import DOUBTS, in_doubt
from pipeline.noise.persons import PERSON_COLUMNS
from pipeline.tables.table import Shard, read_shard

MOST = 600  # about so many faces are taken: as many as three of each of 200 identities
HASHES = 16  # bits of a face_id by which the sample is drawn


def sampled_hashes(candidates: int) -> int:
    """Of the 2^HASHES hashes of further faces how many are in the sample, of so many further faces.

    A power of two, so that a data set may grow for a while before the sample is drawn anew.
    """
    hashes = 1 << HASHES
    while hashes > 1 and hashes * candidates > MOST << HASHES:
        hashes //= 2
    return hashes


def companion_shard(
    part: tuple[Shard, Shard, Shard],
    *,
    root: str,
    calibration: Shard,
    inside: float,
    far: float,
    share: float,
    hashes: int,
) -> pa.Table:
    """The companions of one shard, each without an identity; part: the shards of candidates, clusters and persons.

    inside, far, share: as in doubt_shard(), which takes the photos that are left out here. hashes: sampled_hashes().
    """
    further = read_shard(root, part[0], [*DOUBTS.names, "inside"])
    drawn = [int(face[: HASHES // 4], 16) < hashes for face in further["face_id"].to_pylist()]
    further = further.filter(pc.and_(pa.array(drawn, pa.bool_()), pc.greater_equal(further["inside"], inside)))
    if not len(further):
        return DOUBTS.empty_table()
    clusters, persons = read_shard(root, part[1]), read_shard(root, part[2], PERSON_COLUMNS)
    doubtful = in_doubt(clusters, persons, read_calibration(root, calibration), far=far, share=share)
    sure = clusters["face_id"].filter(pa.array(np.logical_not(doubtful))).combine_chunks()
    companions = further.filter(pc.is_in(further["photo"], value_set=sure)).select(DOUBTS.names)
    nobody = pa.nulls(len(companions), pa.string())
    return companions.set_column(DOUBTS.get_field_index("identity"), DOUBTS.field("identity"), nobody)
