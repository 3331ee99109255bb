"""What stages do with faces that are marked as weak, on a drawn data set with planted noise."""

from collections import Counter
from functools import partial

import numpy as np
import pyarrow.compute as pc
import pytest

from pipeline.noise.clusters import ABSORB_FAR, FALSE_LINKS, JOIN_FAR, cluster, cluster_shard
from pipeline.noise.face_quality.poor_faces import poor_faces
from pipeline.noise.face_quality.quality import QUALITY
from pipeline.noise.known import known_shard
from pipeline.noise.persons import person_shard
from pipeline.noise.scores.fusion import all_impostor_stats
from pipeline.noise.strays import stray_shard
from pipeline.tables.build import build
from pipeline.tables.table import read_shard
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.drawn_vectors import PLAIN, named_rows, person, photos_of


@pytest.fixture(scope="module")
def refinement(tmp_path_factory):
    return refined(str(tmp_path_factory.mktemp("root")))[0]


def quality_of(refinement, weak):
    """A shard of qualities in which the faces of a condition on (face_id, identity, cluster) are weak."""
    faces = refinement.clusters.read(["face_id", "identity", "cluster"]).to_pylist()
    rows = [{"face_id": f["face_id"], "identity": f["identity"], "quality": 1.0, "weak": bool(weak(f))} for f in faces]
    name = str(sum(2**i for i, row in enumerate(rows) if row["weak"]))
    unhashed = {"rows": rows, "kind": QUALITY}
    return build(refinement.root, "quality", named_rows, [name], schema=QUALITY, unhashed=unhashed).shards[0]


def only_shards(refinement, *names):
    tables = {"embeddings": refinement.embeddings[0]}
    return tuple(tables[n].shards[0] if n in tables else getattr(refinement, n).shards[0] for n in names)


def test_weak_faces_are_no_strays(refinement):
    embeddings, clusters, persons, calibration = only_shards(
        refinement, "embeddings", "clusters", "persons", "calibration"
    )
    strays = partial(
        stray_shard, root=refinement.root, calibration=calibration, persons=[persons], rate=1e-3, alone=1e-3
    )
    without = strays(((embeddings,), clusters, persons))
    weak = without["subject"][0].as_py()
    none_weak, one_weak = (
        strays(((embeddings,), clusters, persons, quality_of(refinement, condition)))
        for condition in (lambda _: False, lambda f: f["face_id"] == weak)
    )
    assert none_weak.equals(without)
    assert set(one_weak["subject"].to_pylist()) == set(without["subject"].to_pylist()) - {weak}


def test_unnamed_weak_faces_show_nobody(refinement):
    embeddings, persons, calibration = only_shards(refinement, "embeddings", "persons", "calibration")
    known = partial(known_shard, root=refinement.root, calibration=calibration, persons=[persons], rate=1e3)
    sharp, weak = (
        known(((embeddings,), quality_of(refinement, lambda f, w=w: w and f["identity"] is None)))
        for w in (False, True)
    )
    assert sharp.equals(known(((embeddings,),)))
    assert len(weak) == 0
    assert len(sharp) > 0


def test_persons_are_made_of_other_faces_and_weak_ones_count_for_the_identity(refinement):
    embeddings, copies, clusters, calibration = only_shards(
        refinement, "embeddings", "copies", "clusters", "calibration"
    )
    rules = {"few": (3, 0.5), "many": (30, 0.1)}
    make = partial(person_shard, root=refinement.root, calibration=calibration, **rules)
    before = {r["person"]: r for r in make(((embeddings,), copies, clusters)).to_pylist()}
    name = next(p for p, r in before.items() if r["size"] >= 5)
    faces = [f for f in refinement.clusters.read().to_pylist() if f["identity"] == name and f["cluster"] == 0]
    weak = {f["face_id"] for f in faces[:2]}
    after = make(((embeddings,), copies, clusters, quality_of(refinement, lambda f: f["face_id"] in weak)))
    row = next(r for r in after.to_pylist() if r["person"] == name)
    assert (row["size"], row["of"]) == (before[name]["size"] - 2, before[name]["of"])
    everybody = make(((embeddings,), copies, clusters, quality_of(refinement, lambda f: f["identity"] == name)))
    assert name not in everybody["person"].to_pylist()
    assert len(everybody) == sum(r["identity"] != name for r in before.values())


def test_an_identity_of_weak_faces_alone_is_not_clustered(refinement):
    embeddings, copies, calibration = only_shards(refinement, "embeddings", "copies", "calibration")
    make = partial(
        cluster_shard, root=refinement.root, calibration=calibration, link=FALSE_LINKS, join=JOIN_FAR, absorb=ABSORB_FAR
    )
    none, every = (make(((embeddings,), copies, quality_of(refinement, lambda _, w=w: w))) for w in (False, True))
    assert none.equals(refinement.clusters.read())
    duplicates = set(refinement.copies.read().filter(pc.is_valid(pc.field("copy_of")))["face_id"].to_pylist())
    clusters = Counter(
        (r["identity"], r["cluster"])
        for r in every.to_pylist()
        if r["cluster"] is not None and r["face_id"] not in duplicates
    )
    several = [identity for identity, n in Counter(i for i, _ in clusters.elements()).items() if n > 1]
    assert all(n == 1 for (identity, _), n in clusters.items() if identity in several)


def test_other_faces_found_clusters_and_decide_their_order():
    rng = np.random.default_rng(0)
    crowd, shown = photos_of(person(rng), 6, rng), photos_of(person(rng), 3, rng)
    faces = all_impostor_stats([np.concatenate([crowd, shown])], PLAIN)
    assert cluster(faces, PLAIN).tolist() == [0] * 6 + [1] * 3
    founds = np.array([False] * 6 + [True] * 3)
    labels = cluster(faces, PLAIN, founds=founds)
    assert labels.tolist() == [*range(1, 7), 0, 0, 0], "the crowd is not linked, and the person comes first"


def test_a_weak_face_joins_the_person_that_it_shows():
    rng = np.random.default_rng(1)
    x = photos_of(person(rng), 5, rng)
    faces = all_impostor_stats([x], PLAIN)
    assert cluster(faces, PLAIN, founds=np.array([True] * 4 + [False])).tolist() == [0] * 5


def test_weak_faces_without_a_person_are_poor_and_small_ones_have_their_size(refinement):
    faces, clusters, persons = (getattr(refinement, n).read() for n in ("faces", "clusters", "persons"))
    quality = quality_of(refinement, lambda _: True)
    small, weak = poor_faces(faces, clusters, persons, read_shard(refinement.root, quality), min_px=12)
    assert len(small) == 0
    several = {(p["identity"], p["cluster"]) for p in persons.to_pylist() if p["size"] > 1}
    alone = {
        c["face_id"]
        for c in clusters.to_pylist()
        if c["identity"] is not None and (c["identity"], c["cluster"]) not in several
    }
    assert set(weak["subject"].to_pylist()) == alone
    assert weak["score"].null_count == len(weak)
    assert set(weak["second"].to_pylist()) == {1.0}
    small, weak = poor_faces(faces, clusters, persons, read_shard(refinement.root, quality), min_px=91)
    assert set(small["score"].to_pylist()) == {90.0}
    assert len(weak) == 0 or not set(weak["subject"].to_pylist()) & set(small["subject"].to_pylist())
