"""The kinds of sources, by their names on the command line, and the functions that the module of each kind has."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline.errors import UserError
from pipeline.sources.files import FolderOptions
from pipeline.sources.photo import Photo
from pipeline.sources.survey import Survey

SOURCES = {
    "image-folder": "formats.image_folder",
    "photo-list": "formats.photo_list",
    "webdataset": "formats.tar_shards",
    "parquet": "formats.parquet_images",
    "ms-celeb": "formats.ms_celeb",
    "record-io": "record_io.reader",
    "megaface": "formats.megaface",
}
# "benchmark" is in the address of every table made of a test set, so this name stays
TEST_SET = {"benchmark": "test_sets.photo_sets"}


FOLDER_KINDS = ("image-folder", "megaface")  # of which FolderOptions can be given


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


class FolderFormat(SourceFormat, Protocol):
    """The functions of a module that reads folders of photos, which have options."""

    def parts(self, path: str | Path, /, *, options: FolderOptions = ...) -> list[Any]:
        """The parts of a source; the same as SourceFormat.parts without options."""
        ...

    def survey(self, path: str | Path, /, *, options: FolderOptions = ...) -> Survey:
        """What the folders hold besides photos, and what looks wrong about them."""
        ...


def source_parts(kind: str, path: str, options: FolderOptions) -> list[Any]:
    """The parts of a source; options have a meaning for FOLDER_KINDS alone."""
    module = source_format(kind)
    return cast("FolderFormat", module).parts(path, options=options) if kind in FOLDER_KINDS else module.parts(path)


def survey_source(kind: str, path: str, options: FolderOptions) -> Survey:
    """What a source of one of SOURCES holds besides photos, and what looks wrong about it."""
    module = cast("Any", source_format(kind))
    found: Survey = module.survey(path, options=options) if kind in FOLDER_KINDS else module.survey(path)
    return found


def source_format(kind: str) -> SourceFormat:
    """The module that reads a kind of source: a name of SOURCES, or "benchmark" for test sets.

    Raises UserError for any other name.
    """
    modules = SOURCES | TEST_SET
    if kind not in modules:
        raise UserError(f"no source is called {kind}: give one of {', '.join(SOURCES)}")
    return cast("SourceFormat", import_module(f"pipeline.sources.{modules[kind]}"))


def photo_file(kind: str, path: str, file: str) -> str:
    """The absolute path of a photo's own file; "" for kinds of sources whose files hold many photos.

    path: of the source; file: as the photos table has it.
    """
    if kind in FOLDER_KINDS:
        return str(Path(path, file).absolute())
    if kind == "photo-list":  # its photos lie beside the list, or the list in the folder that is given
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        return str((folder / file).absolute())
    return ""
