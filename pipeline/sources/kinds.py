"""The kinds of sources, by their names on the command line, and the functions that the module of each kind has."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline.errors import UserError
from pipeline.sources.photo import Photo

SOURCES = {
    "image-folder": "formats.image_folder",
    "ms-celeb": "formats.ms_celeb",
    "record-io": "record_io.reader",
    "megaface": "formats.megaface",
}
# "benchmark" is in the address of every table made of a test set, so this name stays
TEST_SET = {"benchmark": "test_sets.photo_sets"}


class SourceFormat(Protocol):
    """The functions of a module that reads one kind of source; a source's path is a file or a folder."""

    def parts(self, path: str | Path, /) -> list[Any]:
        """The parts of a source, which are indexed one by one; their values enter the address of the index table.

        A part holds the sizes and modification times of its files, so that a changed file makes a new address.
        """
        ...

    def index(self, part: Any, /) -> Iterator[Photo]:
        """The photos of one part."""
        ...

    def read(self, path: str | Path, photo: Photo, /) -> bytes:
        """The bytes of one photo; raises PhotoChanged when the file changed since it was indexed."""
        ...


def source_format(kind: str) -> SourceFormat:
    """The module that reads a kind of source: a name of SOURCES, or "benchmark" for test sets.

    Raises UserError for any other name.
    """
    modules = SOURCES | TEST_SET
    if kind not in modules:
        raise UserError(f"no source is called {kind}: give one of {', '.join(SOURCES)}")
    return cast("SourceFormat", import_module(f"pipeline.sources.{modules[kind]}"))
