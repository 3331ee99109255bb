"""A drawn population of groups as the tables that the noise stages read, and its truth."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.noise.groups.group_calibration import GROUPS, groups_shard
from pipeline.refined.scoring.known_truth import Truth
from pipeline.sample.cases.grouped_population import GroupedPopulation
from pipeline.tables.build import build
from pipeline.tables.columns import vector_column
from pipeline.tables.table import Table

SOURCE, SIZE_PX, NORM = "drawn", 90.0, 20.0


class PopulationTables(NamedTuple):
    """The tables of a population; photos have no files, and faces no pictures."""

    photos: Table
    faces: Table
    embeddings: Table
    groups: Table


def population_tables(root: str, population: GroupedPopulation, *, shards: int = 1) -> PopulationTables:
    """The tables of a population in a root, their rows divided into shards of whole identities."""
    names, number = np.unique(population.identity.astype(str), return_inverse=True)
    parts = [np.flatnonzero(number * shards // max(1, len(names)) == shard) for shard in range(shards)]
    keys = [f"{identity}/{k:05}.jpg" for k, identity in enumerate(population.identity.tolist())]
    ids = [schema.face_id(SOURCE, key) for key in keys]
    n, x = len(keys), np.asarray(population.x, np.float16)
    columns = {
        "face_id": pa.array(ids, pa.string()),
        "identity": pa.array(population.identity.tolist(), pa.string()),
        "source": pa.array([SOURCE] * n, pa.string()),
        "key": pa.array(keys, pa.string()),
        "file": pa.array([""] * n, pa.string()),
        "sha": pa.array(ids, pa.string()),
        "size_px": pa.array(np.full(n, SIZE_PX), pa.float32()),
        "norm": pa.array(np.full(n, NORM), pa.float32()),
        "x": vector_column(x),
    }
    embeddings = schema.embeddings(x.shape[1])
    kinds = (("photos", schema.PHOTOS), ("faces", schema.FACES), ("embeddings", embeddings))
    tables = []
    for kind, fields in kinds:
        whole = pa.table([columns.get(field.name, pa.nulls(n, field.type)) for field in fields], schema=fields)
        named = [schema.digest(*(ids[row] for row in part.tolist())) for part in parts]
        rows = dict(zip(named, (whole.take(pa.array(part)) for part in parts), strict=True))
        tables.append(build(root, kind, drawn_rows, named, schema=fields, unhashed={"rows": rows}))
    groups = build(root, "groups", groups_shard, [sorted(population.groups.items())], schema=GROUPS)
    photos, faces, embedded = tables
    return PopulationTables(photos, faces, embedded, groups)


def drawn_rows(part: str, *, rows: dict[str, pa.Table]) -> pa.Table:
    """The rows of one shard; part: the digest that names it."""
    return rows[part]


def truth_of(population: GroupedPopulation) -> Truth:
    """The truth about each photo, in the order of the tables."""
    claimed, person, kind = (c.tolist() for c in (population.identity, population.person, population.kind))
    return Truth(claimed, person, kind, np.full(len(claimed), -1))
