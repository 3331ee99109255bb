"""The conflicts table: one picture under two identities (conflict), or in the data and in a test set (overlap).

In a conflict one of the two labels must be wrong. An overlap means that the test set is in the training data.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.noise.calibration import read_calibration
from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.pictures.face_digests import FaceDigests, FaceShards, candidate_pairs, read_digests
from pipeline.noise.pictures.picture_pairs import PicturePairs, SamePictureRule, compare_pictures
from pipeline.noise.pictures.related_faces import Connections, related_pairs
from pipeline.tables.table import Shard


def conflict_shard(
    part: tuple[FaceShards, Sequence[FaceShards], Connections],
    *,
    root: str,
    calibration: Shard,
    alike: float,
    least: float,
) -> pa.Table:
    """The conflicts of a whole data set.

    part: the shards of the data set, those of each test set, and what connects identities of the data set. alike: FAR
    that the score of the two faces must reach; least: correlation that their sketches must reach.
    """
    data, tests, connections = part
    sets, numbers = [data, *tests], dict[str, int]()
    digests = read_digests(root, sets, numbers)
    related = related_pairs(root, data, digests, numbers, connections)
    pairs_of_rows = np.stack([np.concatenate(k) for k in zip(candidate_pairs(digests), related, strict=True)], axis=1)
    i, j = np.unique(pairs_of_rows, axis=0).T
    in_data = digests.place[:, 0] == 0
    two_identities = in_data[i] & in_data[j] & (digests.identity[i] != digests.identity[j])
    with_test_set = in_data[i] & ~in_data[j]
    wanted = with_test_set | two_identities
    pairs = compare_pictures(
        root,
        sets,
        digests,
        (i[wanted], j[wanted]),
        calibration=read_calibration(root, calibration),
        rule=SamePictureRule(alike, least),
    )
    return _findings(digests, pairs)


def _findings(digests: FaceDigests, pairs: PicturePairs) -> pa.Table:
    """The pairs as findings.

    A conflict's subject is the photo with the smaller norm, its score the correlation. An overlap's subject is the
    photo of the data set, its scores are those of the embedders, as in relations.py.
    """
    evidence = np.array([correlation_evidence(r) for r in pairs.correlation], object)
    i, j = pairs.rows
    norm, test = digests.norm, digests.place[j, 0] > 0
    swap = ~test & ((norm[i] > norm[j]) | ((norm[i] == norm[j]) & (pairs.one < pairs.two).astype(bool)))
    one, two = np.where(swap, pairs.two, pairs.one), np.where(swap, pairs.one, pairs.two)
    conflict = findings_table("conflict", one[~test], two[~test], [pairs.correlation[~test]], evidence[~test])
    overlap = findings_table("overlap", one[test], two[test], [z[test] for z in pairs.scores], evidence[test])
    return combine_findings([conflict, overlap])


def correlation_evidence(r: float) -> str:
    """The reason in words why two faces are one picture; r: the correlation of their sketches."""
    return "equal bytes" if r >= 1 else f"the faces correlate {r:.3f} when registered"
