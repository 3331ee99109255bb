"""Pictures under two identities: equal bytes are one picture only if the same face was cut from them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import schema
from pipeline.noise.stages import find_noise
from pipeline.tables.build import build
from tests.builders.tables.drawn_vectors import named_rows, noisy_identities, person, photos_of, tables, unit


@pytest.mark.parametrize("same_face", [True, False])
def test_two_people_of_one_photo_are_no_conflict_however_alike(tmp_path: Path, same_face: bool) -> None:
    """The same photo is under two identities, whose persons look alike; of each the own face was chosen, or not."""
    rng = np.random.default_rng(0)
    x, identity = noisy_identities(rng, people=80, noise=0.0)
    rows = [(f"{i}.jpg", f"id{n:03}", v, i) for i, (v, n) in enumerate(zip(x, identity, strict=True))]
    one = person(rng)
    other = unit(one + 0.9 * person(rng))
    for name, centre in (("one", one), ("two", other)):
        rows += [(f"{name}{k}.jpg", name, v, 1000 + len(rows) + k) for k, v in enumerate(photos_of(centre, 4, rng))]
    shown = len(rows)
    rows += [
        ("shared1.jpg", "one", one, 5000),
        ("shared2.jpg", "two", one if same_face else other, 5000 + (not same_face)),
    ]
    photos, faces, embeddings = tables(str(tmp_path), rows)
    table = faces.read()
    sha = [4 * f"{i + 1:016x}" for i in range(len(table))]
    sha[shown + 1] = sha[shown]
    table = table.set_column(table.schema.get_field_index("sha"), "sha", pa.array(sha))
    faces = build(
        str(tmp_path),
        "faces",
        named_rows,
        ["shared"],
        schema=schema.FACES,
        unhashed={"rows": table.to_pylist(), "kind": schema.FACES},
    )
    found = find_noise(str(tmp_path), faces, [embeddings]).findings.read().to_pylist()
    shared = {schema.face_id("s", key) for key in ("shared1.jpg", "shared2.jpg")}
    conflicts = [f for f in found if f["kind"] == "conflict" and {f["subject"], f["object"]} == shared]
    assert len(conflicts) == same_face
    assert len(photos) == len(faces)
