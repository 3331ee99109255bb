"""Which main faces are in doubt, and which of their further faces are embedded."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.noise.choice.choices import median_norm
from pipeline.noise.choice.doubts import DOUBT_FAR, MIN_INSIDE, MIN_SHARE, doubt_shard
from pipeline.noise.running.person_stages import find_persons
from pipeline.tables.build import build
from tests.builders.tables.drawn_vectors import named_rows, noisy_identities, person, photos_of, tables


def test_main_faces_outside_the_person_and_all_of_identities_without_a_clear_person_are_in_doubt(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    x, identity = noisy_identities(rng, people=80, noise=0.0)
    rows = [(f"{i}.jpg", f"z{n:03}", v, i) for i, (v, n) in enumerate(zip(x, identity, strict=True))]
    clear = [*photos_of(person(rng), 6, rng), person(rng)]
    unclear = [*photos_of(person(rng), 2, rng), person(rng), person(rng), person(rng)]
    rows += [(f"clear{k}", "clear", v, 900 + k) for k, v in enumerate(clear)]
    rows += [(f"unclear{k}", "unclear", v, 950 + k) for k, v in enumerate(unclear)]
    root = str(tmp_path)
    _, faces, embeddings = tables(root, rows)
    found = find_persons(root, faces, [embeddings])
    keys = [key for key, *_ in rows if key.startswith(("clear", "unclear"))]
    further = [
        {
            "face_id": f"{key}-{inside}",
            "photo": schema.face_id("s", key),
            "identity": "x",
            "jpeg": b"j",
            "inside": inside,
        }
        for key in keys
        for inside in (1.0, 0.9)
    ]
    candidates = build(
        root,
        "candidates",
        named_rows,
        ["drawn"],
        schema=schema.CANDIDATES,
        unhashed={"rows": further, "kind": schema.CANDIDATES},
    )
    part = (candidates.shards[0], found.clusters.shards[0], found.persons.shards[0])
    doubts = doubt_shard(
        part,
        root=root,
        calibration=found.calibration.shards[0],
        inside=MIN_INSIDE,
        far=DOUBT_FAR,
        share=MIN_SHARE,
    )
    assert doubts["face_id"].to_pylist() == ["clear6-1.0", *(f"unclear{k}-1.0" for k in range(5))]
    assert median_norm(embeddings) == 10


def test_without_candidates_there_are_no_doubts(tmp_path: Path) -> None:
    empty = build(
        str(tmp_path),
        "candidates",
        named_rows,
        ["none"],
        schema=schema.CANDIDATES,
        unhashed={"rows": [], "kind": schema.CANDIDATES},
    )
    shard = empty.shards[0]
    doubts = doubt_shard(
        (shard, shard, shard), root=str(tmp_path), calibration=shard, inside=MIN_INSIDE, far=DOUBT_FAR, share=MIN_SHARE
    )
    assert isinstance(doubts, pa.Table)
    assert not len(doubts)
