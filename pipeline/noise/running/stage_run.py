"""What the stages of finding noise share: the data, the rates, and how a table is built."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline import schema
from pipeline.noise.groups.calibrations import GroupShards
from pipeline.noise.policy import Rates
from pipeline.noise.search.search_memory import SearchSize, block_memory
from pipeline.tables.build import Workers
from pipeline.tables.table import Shard, Table

TestSets = Sequence[tuple[Table, Sequence[Table]]]  # of each: its faces, and their embeddings by each embedder
References = Sequence[Sequence[Table]]  # sets of faces that are no part of the data; of each its embeddings by embedder


@dataclass(frozen=True)
class StageRun:
    """The inputs that all stages share, and how their tables are built."""

    root: str
    faces: Table
    embeddings: Sequence[Table]
    tests: TestSets
    rates: Rates
    workers: Workers
    memory_bytes: int | None
    build: Callable[..., Table]
    quality: tuple[Table, ...] = ()  # the table of qualities, where there is one
    textures: Table | None = None  # unit vectors that describe the texture of the faces; None: they are not used
    groups: GroupShards | None = None  # None: all identities are scored by the calibration of the whole population

    def make(
        self,
        name: str,
        function: Callable[..., pa.Table],
        parts: Sequence[Any],
        *,
        schema: pa.Schema = schema.FINDINGS,
        version: int = 1,
        params: dict[str, Any] | None = None,
        unhashed: Mapping[str, Any] | None = None,
    ) -> Table:
        """Build the table of one stage; its function gets the root as an argument, too."""
        return self.build(
            self.root,
            name,
            function,
            parts,
            schema=schema,
            version=version,
            params=params,
            unhashed={"root": self.root, **(unhashed or {})},
            workers=self.workers,
        )

    def grouped(self, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters of a stage that scores identities by their groups: with the groups, where there are any."""
        return params | {"groups": self.groups} if self.groups else params

    def all_embeddings(self) -> tuple[list[Shard], ...]:
        """For each embedder all shards of embeddings."""
        return tuple(t.shards for t in self.embeddings)

    def parts_of(self, *tables: Table, embeddings: bool = False) -> list[tuple[Any, ...]]:
        """For each shard of the data set the shards of these tables, after those of each embedder if `embeddings`."""
        by_shard = list(zip(*self.all_embeddings(), strict=True))
        return list(zip(*([by_shard] if embeddings else []), *(t.shards for t in tables), strict=True))

    def test_photos(self) -> int:
        """The number of photos in all test sets."""
        return sum(len(embeddings[0]) for _, embeddings in self.tests)

    def block_memory(self, search: SearchSize, k: int) -> int | None:
        """How much memory the blocks of a search may take; logs the need of a large search."""
        return block_memory(search, k, memory_bytes=self.memory_bytes, workers=self.workers)
