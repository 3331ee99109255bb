"""Draws a world: embeddings without pixels, of any number of photos, with the noise of web data planted and known.

Its root has the tables of a refinement up to the embeddings, and a table of the truth. So all stages after the
embeddings can be measured on millions of photos.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from flows.benchmark.drawn.identities import Plan
from flows.benchmark.drawn.shards import TRUTH, embeddings_shard, faces_shard, photos_shard, truth_shard
from flows.cli.options import DaskWorkers, Dim, OutRoot, Seed
from flows.cli.result import Result
from flows.cli.sizes import parse_workers
from pipeline import schema
from pipeline.errors import UserError
from pipeline.tables.build import build
from pipeline.tables.table import Table

FACES_A_SHARD = 1 << 15


@dataclass(frozen=True)
class DrawnTables(Result):
    """The root of a drawn world and its tables: those of a refinement up to the embeddings, and the truth."""

    root: str
    photos: Table
    faces: Table
    embeddings: Table
    truth: Table

    def rows(self) -> list[dict[str, Any]]:
        """How many photos of each kind there are."""
        kinds: dict[str, int] = {}
        for rows in self.truth.batches(["kind"]):
            for entry in rows["kind"].value_counts().to_pylist():
                kinds[entry["values"]] = kinds.get(entry["values"], 0) + entry["counts"]
        return [{"kind": kind, "photos": n} for kind, n in sorted(kinds.items())]

    def lines(self) -> list[str]:
        """What was drawn, and what to run next."""
        return [
            f"{len(self.photos)} photos without pixels in {self.root}",
            f"next: refinery benchmark noise {self.root}",
        ]


def world(
    out: OutRoot,
    *,
    identities: Annotated[int, typer.Option(help="Claimed identities.")] = 1000,
    faces: Annotated[int, typer.Option(help="Approximate number of photos.")] = 100_000,
    dim: Dim = 512,
    seed: Seed = 0,
    workers: DaskWorkers = "",
) -> DrawnTables:
    """Draw embeddings of identities with planted noise, and the truth, in bounded memory."""
    if identities < 2 or faces < 2 * identities or dim < 8:
        raise UserError(
            f"--identities {identities} --faces {faces} --dim {dim}: give at least 2 identities, 2 photos of each, "
            "and embeddings of 8 numbers"
        )
    plan, dask_workers = Plan(identities, faces, dim, seed), parse_workers(workers)
    shards = max(1, -(-faces // FACES_A_SHARD))
    parts = [(i, shards) for i in range(shards)]
    tables = {
        name: build(out, name, shard, parts, schema=columns, params={"plan": list(plan)}, workers=dask_workers)
        for name, shard, columns in (
            ("photos", photos_shard, schema.PHOTOS),
            ("faces", faces_shard, schema.FACES),
            ("embeddings", embeddings_shard, schema.embeddings(dim)),
            ("truth", truth_shard, TRUTH),
        )
    }
    return DrawnTables(out, **tables)
