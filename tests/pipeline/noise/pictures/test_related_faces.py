"""Duplicates across identities that other findings connect: candidates, each pair once, by similar hashes."""

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.faces.sketch import mirrored_hashes
from pipeline.noise.findings import combine_findings, findings_table
from pipeline.noise.pictures.face_digests import FaceDigests, FaceShards
from pipeline.noise.pictures.related_faces import MAX_BITS_OF_MERGED, Connections, related_pairs
from pipeline.tables.build import build
from tests.builders.tables.drawn_vectors import named_rows

NAMES = ("a", "b", "c", "d")
FACES = [f"{name}{k}" for name in NAMES for k in range(3)]  # row 3 * name + k


def differing(value, bits):
    return value ^ np.uint64((1 << bits) - 1)


def table(root, name, rows, columns):
    return build(root, name, named_rows, [name], schema=columns, unhashed={"rows": rows, "kind": columns})


def connected(root, hashes, findings):
    faces = [{"face_id": f, "identity": f[0]} for f in FACES]
    persons = pa.schema([("person", pa.string()), ("identity", pa.string())])
    places = np.stack([np.zeros(12), np.zeros(12), np.arange(12)], 1).astype(np.int32)
    digests = FaceDigests(np.repeat(np.arange(4), 3), np.arange(12).astype(np.uint64), hashes, np.ones(12), places)
    data = FaceShards(table(root, "faces", faces, schema.FACES).shards, [], ())
    rows = [{"person": p, "identity": p[0]} for p in (*NAMES, "b~1")]
    shards = [
        table(root, "persons", rows, persons).shards,
        table(root, "f", findings.to_pylist(), schema.FINDINGS).shards,
    ]
    i, j = related_pairs(root, data, digests, {n: k for k, n in enumerate(NAMES)}, Connections(shards[1], shards[0]))
    return [(FACES[a], FACES[b]) for a, b in zip(i.tolist(), j.tolist(), strict=True)]


def test_faces_of_merged_identities_and_strays_are_compared_and_others_are_not(tmp_path):
    hashes = np.random.default_rng(0).integers(0, 1 << 63, 12, np.uint64)
    hashes[3] = differing(hashes[0], MAX_BITS_OF_MERGED)  # b0 is like a0
    hashes[4] = mirrored_hashes(hashes[1:2])[0]  # b1 is a1 mirrored
    hashes[6] = hashes[9] = hashes[2]  # c0 and d0 are like a2
    scores = [np.array([9.0])]
    findings = combine_findings(
        [
            findings_table("merge", ["a"], ["b~1"], scores, [""]),
            findings_table("misplaced", ["c0"], ["a"], scores, [""]),  # c0 shows the person a
            findings_table("outlier", ["d0"], ["a"], scores, [""]),  # says nothing about another identity
        ]
    )
    assert connected(str(tmp_path), hashes, findings) == [("a0", "b0"), ("a1", "b1"), ("a2", "c0")]


def test_without_such_findings_there_are_no_candidates(tmp_path):
    assert connected(str(tmp_path), np.zeros(12, np.uint64), schema.FINDINGS.empty_table()) == []


def test_hashes_that_differ_in_more_bits_are_no_candidates(tmp_path):
    hashes = np.random.default_rng(1).integers(0, 1 << 63, 12, np.uint64)
    hashes[3] = differing(hashes[0], MAX_BITS_OF_MERGED + 1)
    merge = findings_table("merge", ["a"], ["b"], [np.array([9.0])], [""])
    assert ("a0", "b0") not in connected(str(tmp_path), hashes, merge)
