"""A small real data set for the flows: some people of noisy_lfw with their planted noise, and real models."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.refine.flow import refine
from flows.refine.results import RefineResult
from pipeline.refinement import latest


@dataclass(frozen=True)
class World:
    """The folder of photos, the true labels, and the paths of the models as options of a refinement."""

    photos: Path
    truth: list[dict[str, str]]
    models: dict[str, str] = field(repr=False)

    def refine(self, root: Path | str, *source: str, **more: Any) -> RefineResult:
        """Refine the photos, or another source, without Prefect."""
        return refine.fn(str(root), list(source) or ["image-folder", str(self.photos)], **{**self.models, **more})


def fates(root: Path | str) -> dict[str, tuple[str | None, str]]:
    """The identity and the reason of each photo, by key."""
    rows = latest(str(root)).labels.read().to_pylist()
    return {r["key"]: (r["identity"], r["reason"]) for r in rows}
