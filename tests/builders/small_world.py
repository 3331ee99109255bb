"""A small real world for the flows: some people of noisy_lfw with their planted noise, and the real models."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.refine.flow import refine
from flows.refine.results import RefineResult
from pipeline.refinement import latest


@dataclass(frozen=True)
class World:
    """Photos in folders, what is true of them, and the models' paths as options of a refinement."""

    photos: Path
    truth: list[dict[str, str]]
    models: dict[str, str] = field(repr=False)

    def refine(self, root: Path | str, *source: str, **more: Any) -> RefineResult:
        """A refinement without Prefect."""
        return refine.fn(str(root), list(source) or ["image-folder", str(self.photos)], **{**self.models, **more})


def fates(root: Path | str) -> dict[str, tuple[str | None, str]]:
    """Each photo's identity and reason by its key."""
    rows = latest(str(root)).labels.read().to_pylist()
    return {r["key"]: (r["identity"], r["reason"]) for r in rows}
