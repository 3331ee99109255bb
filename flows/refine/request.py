"""The sources, models and options of one refinement, checked before any work is done."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from flows.cli.sizes import parse_memory, parse_workers
from flows.refine.calibration.groups import parse_groups
from flows.refine.models import Models, load_models
from flows.refine.source_pairs import parse_sources
from pipeline.errors import UserError, check_all
from pipeline.noise.policy import Rates
from pipeline.sources.files import FolderOptions, existing_path
from pipeline.sources.index import Source
from pipeline.tables.build import Workers


@dataclass(frozen=True)
class RefineRequest:
    """The sources, models and options of a refinement."""

    sources: Sequence[Source]
    models: Models
    test_sets: Sequence[str]  # paths
    references: Sequence[str]  # paths of photos of other people, for the calibration alone
    aligned: bool  # the photos are aligned crops
    undecided: str  # keep or drop
    min_faces: int
    shards: int | None  # None: by the number of photos
    workers: Workers
    memory_bytes: int | None  # for the searches among all persons; None: unbounded
    rates: Rates
    groups: Mapping[str, str] = field(default_factory=dict)  # by identity as the user's file spells it
    choose: bool = True  # between the faces of a photo; False: the face that the detector's rule takes
    # whether outliers are decided by likelihood ratios with the faces' textures, as a weak embedder needs it
    textures: bool = False

    @classmethod
    def parse(
        cls,
        source: Sequence[str],
        detector: str,
        embedder: str,
        *,
        second_embedder: str = "",
        quality: str = "",
        probes: str = "",
        gallery: str = "",
        test_set: Sequence[str] = (),
        reference: Sequence[str] = (),
        groups: str = "",
        aligned: bool = False,
        flip: str = "",
        min_faces: int = 2,
        undecided: str = "keep",
        lost_per_noise: float = Rates().lost_per_noise,
        shards: int = 0,
        workers: str = "",
        memory: str = "",
        follow_links: bool = False,
        identity_level: int = 0,
        boxes: Sequence[str] = (),
    ) -> "RefineRequest":
        """The request that the options of `refinery refine` make. Raises UserError with every mistake in them."""
        sources, models, pool, memory_bytes, group_of, *_ = check_all(
            lambda: _existing(
                parse_sources(
                    source,
                    probes=probes,
                    gallery=gallery,
                    follow_links=follow_links,
                    identity_level=identity_level,
                    boxes=boxes,
                )
            ),
            lambda: load_models(detector, embedder, second_embedder, quality=quality, flip=flip),
            lambda: parse_workers(workers),
            lambda: parse_memory(memory),
            lambda: parse_groups(groups),
            lambda: _check_undecided(undecided),
            lambda: _check_min_faces(min_faces),
            lambda: _check_lost_per_noise(lost_per_noise),
            *(partial(existing_path, path) for path in (*test_set, *reference)),
        )
        return cls(
            sources,
            models,
            test_set,
            reference,
            aligned,
            undecided,
            min_faces,
            shards or None,
            pool,
            memory_bytes,
            Rates(lost_per_noise=lost_per_noise),
            group_of,
        )

    def record(self) -> dict[str, Any]:
        """The request as plain values, which refinement.json keeps: all but how the run uses the machine, and the
        groups, which are a table."""
        models = self.models
        return {
            "sources": [[s.name, s.kind, s.path, list(s.options), list(s.boxes)] for s in self.sources],
            "detector": models.detector.model,
            "embedders": [embedder.model for embedder in models.embedders],
            "flip": str(models.embedders[0].named_by[2]),
            "quality": models.quality.model if models.quality else "",
            "test_sets": [str(Path(path).absolute()) for path in self.test_sets],  # an erasure may run elsewhere
            "references": [str(Path(path).absolute()) for path in self.references],
            "aligned": self.aligned,
            "undecided": self.undecided,
            "min_faces": self.min_faces,
            "shards": self.shards,
            "lost_per_noise": self.rates.lost_per_noise,
            "choose": self.choose,
            **({"textures": True} if self.textures else {}),
        }

    @classmethod
    def of_record(
        cls, root: str, record: Mapping[str, Any], *, groups: Mapping[str, str], workers: Workers = None
    ) -> "RefineRequest":
        """The request of a refinement in force, from its record(). groups: of its identities.

        Raises UserError where there is none, because an earlier version wrote it, and with everything that is not
        there any more.
        """
        if not record:
            raise UserError(
                f"{root} was refined by an earlier version, which did not note its options: run `refinery refine` with "
                "the options of before, then this command again"
            )
        embedder, *second = record["embedders"]
        paths = [*record["test_sets"], *record["references"]]
        sources, models, *_ = check_all(
            lambda: _existing([_source(*words) for words in record["sources"]]),
            lambda: load_models(record["detector"], embedder, *second, quality=record["quality"], flip=record["flip"]),
            *(partial(existing_path, path) for path in paths),
        )
        return cls(
            sources,
            models,
            record["test_sets"],
            record["references"],
            record["aligned"],
            record["undecided"],
            record["min_faces"],
            record["shards"],
            workers,
            None,
            Rates(lost_per_noise=record["lost_per_noise"]),
            groups,
            record["choose"],
            record.get("textures", False),
        )


def _source(name: str, kind: str, path: str, options: Sequence[Any], boxes: Sequence[str]) -> Source:
    return Source(name, kind, path, FolderOptions(*options), tuple(boxes))


def _existing(sources: Sequence[Source]) -> Sequence[Source]:
    """The sources; raises UserError where a path is not there."""
    check_all(*(partial(existing_path, source.path) for source in sources))
    return sources


def _check_undecided(undecided: str) -> None:
    if undecided not in ("keep", "drop"):
        raise UserError(f"--undecided {undecided}: give keep or drop")


def _check_min_faces(min_faces: int) -> None:
    if min_faces < 1:
        raise UserError(f"--min-faces {min_faces}: give 1 or more")


def _check_lost_per_noise(lost_per_noise: float) -> None:
    if not 0 < lost_per_noise < math.inf:
        raise UserError(f"--lost-per-noise {lost_per_noise:g}: give a number above 0, such as 0.5 or 2")
