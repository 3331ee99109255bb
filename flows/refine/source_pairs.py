"""The data sets named on the command line, as pairs of a source kind and a path."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from pipeline.errors import UserError, check_all
from pipeline.sources.files import FolderOptions, existing_path
from pipeline.sources.index import Source
from pipeline.sources.kinds import FOLDER_KINDS, SOURCES, survey_source

log = logging.getLogger("refinery")


def parse_sources(
    words: Sequence[str],
    *,
    probes: str = "",
    gallery: str = "",
    follow_links: bool = False,
    identity_level: int = 0,
    boxes: Sequence[str] = (),
) -> list[Source]:
    """The sources that the command line names: pairs of kind and path, and MegaFace's two folders as options.

    A source has the name of its path's last part, or NAME where the path is NAME=PATH. probes, gallery: MegaFace's
    folders of people and of distractors, both or neither. follow_links: for every source of folders; identity_level:
    for every image-folder. boxes: lists of boxes, for every source. Raises UserError for anything else.
    """
    pairs = _with_megaface(words, probes, gallery)
    if not pairs or len(pairs) % 2:
        raise UserError(
            f"give pairs of SOURCE and PATH (SOURCE is one of {', '.join(SOURCES)}), not {' '.join(pairs)!r}"
        )
    sources = [_source(kind, path) for kind, path in zip(pairs[::2], pairs[1::2], strict=True)]
    kinds = {source.kind for source in sources}
    if follow_links and not kinds & set(FOLDER_KINDS):
        raise UserError(f"--follow-links: it is for {' and '.join(FOLDER_KINDS)}, and there is no such source")
    if identity_level and "image-folder" not in kinds:
        raise UserError(f"--identity-level {identity_level}: it is for image-folder, and there is no such source")
    check_all(*(partial(existing_path, path) for path in boxes))
    return [
        source._replace(
            options=_folder_options(source.kind, follow_links, identity_level),
            boxes=tuple(str(Path(path).absolute()) for path in boxes),
        )
        for source in sources
    ]


def _folder_options(kind: str, follow_links: bool, identity_level: int) -> FolderOptions:
    level = identity_level if kind == "image-folder" else 0
    return FolderOptions(follow_links and kind in FOLDER_KINDS, level)


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


def survey_sources(sources: Sequence[Source]) -> Mapping[str, Mapping[str, int]]:
    """How many files of each source are not photos, by reason.

    They are logged because no count of photos has them. What looks wrong about a source is logged as warnings.
    """
    ignored: dict[str, Mapping[str, int]] = {}
    for name, kind, path, options, _ in sources:
        survey = survey_source(kind, path, options)
        ignored[name] = survey.ignored
        for reason, files in survey.ignored.items():
            log.info("%s: %d files ignored (%s)", name, files, reason)
        for warning in survey.warnings:
            log.warning("%s: %s", name, warning)
    return ignored
