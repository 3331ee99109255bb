"""The sources, models and options of one refinement, checked before any work is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.refine.models import Models
from pipeline.errors import UserError
from pipeline.sources.index import Source
from pipeline.tables.build import Workers


@dataclass(frozen=True)
class RefineRequest:
    """The sources, models and options of a refinement. Raises UserError for options that no refinement can have."""

    sources: Sequence[Source]
    models: Models
    test_sets: Sequence[str]  # paths
    aligned: bool  # the photos are aligned crops
    undecided: str  # keep or drop
    min_faces: int
    shards: int | None  # None: by the number of photos
    workers: Workers
    memory_bytes: int | None  # for the searches among all persons; None: unbounded

    def __post_init__(self) -> None:
        """Raise UserError for values out of range."""
        if self.undecided not in ("keep", "drop"):
            raise UserError(f"--undecided {self.undecided}: give keep or drop")
        if self.min_faces < 1:
            raise UserError(f"--min-faces {self.min_faces}: give 1 or more")
