"""The data sets named on the command line, as pairs of a source kind and a path."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.refine.tables import SourcePaths
from pipeline.errors import UserError
from pipeline.sources.index import Source
from pipeline.sources.kinds import SOURCES, source_format

log = logging.getLogger("refinery")


def parse_sources(words: Sequence[str], *, probes: str = "", gallery: str = "") -> list[Source]:
    """The sources that the command line names: pairs of kind and path, and MegaFace's two folders as options.

    A source has the name of its path's last part, or NAME where the path is NAME=PATH. probes, gallery: MegaFace's
    folders of people and of distractors, both or neither. Raises UserError for anything else.
    """
    pairs = _with_megaface(words, probes, gallery)
    if not pairs or len(pairs) % 2:
        raise UserError(
            f"give pairs of SOURCE and PATH (SOURCE is one of {', '.join(SOURCES)}), not {' '.join(pairs)!r}"
        )
    return [_source(kind, path) for kind, path in zip(pairs[::2], pairs[1::2], strict=True)]


def _with_megaface(words: Sequence[str], probes: str, gallery: str) -> list[str]:
    """The pairs of kind and path, with those that --probes and --gallery stand for."""
    if not probes and not gallery:
        return list(words)
    if not (probes and gallery):
        raise UserError(
            f"--{'probes' if probes else 'gallery'} alone: give --probes and --gallery, or one source with both"
        )
    others = words[1:] if len(words) % 2 and words[0] == "megaface" else words
    return [*others, "megaface", probes, "megaface", gallery]


def _source(kind: str, path: str) -> Source:
    if kind not in SOURCES:
        raise UserError(f"no source is called {kind}: give one of {', '.join(SOURCES)}")
    name, _, named_path = path.partition("=") if "=" in path and not Path(path).exists() else ("", "", path)
    return Source(name or Path(named_path).absolute().name, kind, str(Path(named_path).absolute()))


def count_ignored_files(source_paths: SourcePaths) -> Mapping[str, Mapping[str, int]]:
    """How many files of each source are not photos, by reason. They are logged because no count of photos has them."""
    ignored: dict[str, dict[str, int]] = {}
    for name, (kind, path) in source_paths.items():
        count = getattr(source_format(kind), "ignored", None)
        ignored[name] = count(path) if count else {}
        for reason, files in ignored[name].items():
            log.info("%s: %d files ignored (%s)", name, files, reason)
    return ignored
