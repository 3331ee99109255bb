"""Parquet files with pictures, as the Hugging Face hub and `datasets` write them: data/train-00000-of-00010.parquet.

A row has a picture (a struct of bytes and path, or bytes alone) and a label (text, or a number that the file's metadata
gives a name). One idea: a photo is a row's number, and the row groups that were read last stay decoded. Nothing is
copied to disk, and a group is decoded once for all its photos in a shard as long as the shard's groups fit into
CACHE_BYTES.
"""

import json
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.sources.files import unreachable
from pipeline.sources.formats.containers import Container, container_path, containers, survey_beside
from pipeline.sources.photo import Photo, PhotoChanged, distinct_keys
from pipeline.sources.survey import Survey

SUFFIX = ".parquet"
LABEL_COLUMNS = ("identity", "label", "labels", "person", "name", "class", "cls", "id")
# for who has the data set open in `datasets`
EMBED = "write them into it: data.with_format('arrow').map(datasets.table.embed_table_storage, batched=True)"
CACHE_BYTES = 1 << 28  # of decoded pictures, in a process


class Columns(NamedTuple):
    """The columns of a file: of the bytes, of the path in its data set ("": none), of the label ("": none)."""

    bytes: str
    path: str
    label: str


def parts(path: str | Path) -> list[Container]:
    """A part for each Parquet file with pictures at a path: the file itself, or those below a folder.

    Raises UserError where there is none, and where no row of a file holds a picture.
    """
    files = containers(path, SUFFIX, hint="give the folder of a data set in Parquet")
    for file in files:
        opened = _open(file.path)
        rows = opened.metadata.num_rows
        if rows and _without_picture(opened, _columns(opened, file.path)) == rows:
            raise UserError(f"the {rows} rows of {file.path} hold no picture, but a path at most: {EMBED}")
    return files


def index(part: Container) -> Iterator[Photo]:
    """A photo for each row."""
    yield from distinct_keys(_photos(part))


def read(path: str | Path, photo: Photo) -> bytes:
    """The bytes of a row's picture; raises PhotoChanged when the file was changed, or the row has none."""
    file = container_path(path, photo.file)
    try:
        modified = file.stat().st_mtime_ns
    except OSError as error:
        raise unreachable(error, file) from None
    if modified != photo.modified:
        raise PhotoChanged(f"{file.name} changed since it was indexed")
    try:
        data = _decoded(file, photo.modified, photo.offset)
    except OSError as error:
        raise unreachable(error, file) from None
    except pa.ArrowException as error:
        raise PhotoChanged(f"{file.name} is damaged: {error}") from None
    if data is None:
        raise PhotoChanged(f"row {photo.offset} of {file.name} holds no picture")
    return data


def survey(path: str | Path) -> Survey:
    """The number of files beside the Parquet files; a warning where rows hold no picture."""
    beside = survey_beside(path, SUFFIX)
    opened = [(file.path, _open(file.path)) for file in containers(path, SUFFIX, hint="")]
    empty = sum(_without_picture(file, _columns(file, name)) for name, file in opened)
    lines = [f"{empty} rows hold no picture, but a path at most, and are unreadable: {EMBED}"] if empty else []
    return Survey(beside.ignored, [*beside.warnings, *lines])


def _without_picture(opened: pq.ParquetFile, columns: Columns) -> int:
    """The number of rows without a picture, as far as the file's schema and statistics show."""
    struct, _, field = columns.bytes.partition(".")
    if field and pa.types.is_null(opened.schema_arrow.field(struct).type.field(field).type):
        return int(opened.metadata.num_rows)
    groups = [opened.metadata.row_group(g) for g in range(opened.num_row_groups)]
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    counts = [c.statistics for c in chunks if c.path_in_schema == columns.bytes and c.statistics is not None]
    return sum(statistics.null_count for statistics in counts if statistics.has_null_count)


def _photos(part: Container) -> Iterator[Photo]:
    file = part.path
    opened = _open(file)
    columns, names = _columns(opened, file), _label_names(opened.schema_arrow)
    row = 0
    wanted = [c for c in (columns.path, columns.label) if c]
    for group in range(opened.num_row_groups):
        count = opened.metadata.row_group(group).num_rows
        rows = opened.read_row_group(group, columns=wanted).flatten() if wanted else None
        paths, labels = (_values(rows, c, count) for c in (columns.path, columns.label))
        for shown, label in zip(paths, labels, strict=True):
            yield Photo(
                f"{part.file or file.name}/{shown or row}",
                _identity(label, names.get(columns.label, {})),
                part.file,
                row,
                0,
                part.modified,
            )
            row += 1


def _values(rows: pa.Table | None, column: str, count: int) -> list[Any]:
    return rows[column].to_pylist() if rows is not None and column else [None] * count


def _identity(label: Any, names: Mapping[int, str]) -> str | None:
    if label is None or label == "":
        return None
    return names.get(label) if names and isinstance(label, int) else str(label)  # -1: not labelled


def _open(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file} is damaged or no Parquet file ({error}): repair it or leave it out") from None


def _columns(opened: pq.ParquetFile, file: Path) -> Columns:
    """The columns of a file. Raises UserError where it has no column of pictures."""
    arrow = opened.schema_arrow
    structs = [f.name for f in arrow if pa.types.is_struct(f.type) and f.type.get_field_index("bytes") >= 0]
    plain = [f.name for f in arrow if pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type)]
    if not structs and not plain:
        raise UserError(
            f"{file} has no column of pictures (its columns: {', '.join(arrow.names)[:200]}): give a data set whose "
            "pictures are in the file; one that lists paths is a source of the kind photo-list"
        )
    name = structs[0] if structs else plain[0]
    has_path = bool(structs) and arrow.field(name).type.get_field_index("path") >= 0
    label = next((c for c in LABEL_COLUMNS if c in arrow.names and c != name), "")
    return Columns(f"{name}.bytes" if structs else name, f"{name}.path" if has_path else "", label)


def _label_names(arrow: pa.Schema) -> dict[str, dict[int, str]]:
    """The names of numbered labels, by column, from the metadata that `datasets` writes."""
    try:
        features = json.loads((arrow.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        named = {column: f["names"] for column, f in features.items() if isinstance(f, dict) and f.get("names")}
        return {column: dict(enumerate(map(str, names))) for column, names in named.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


class _Groups:
    """The pictures of the row groups that were read last, at most CACHE_BYTES of them."""

    def __init__(self) -> None:
        self.groups: OrderedDict[tuple[Path, int, int], pa.ChunkedArray] = OrderedDict()
        self.lock = Lock()

    def get(self, file: Path, modified: int, group: int) -> pa.ChunkedArray:
        """The pictures of one row group; modified: of the file."""
        key = (file, modified, group)
        with self.lock:
            if key in self.groups:
                self.groups.move_to_end(key)
                return self.groups[key]
            # decoded while the others wait: they want the same group, and several at once would not fit
            with pq.ParquetFile(file, metadata=_metadata(file, modified)) as opened:
                column = _columns(opened, file).bytes
                pictures = opened.read_row_group(group, columns=[column]).flatten()[column]
            self.groups[key] = pictures
            while len(self.groups) > 1 and sum(a.nbytes for a in self.groups.values()) > CACHE_BYTES:
                self.groups.popitem(last=False)
            return pictures


_GROUPS = _Groups()


@lru_cache(maxsize=64)
def _metadata(file: Path, modified: int) -> pq.FileMetaData:  # noqa: ARG001  a changed file is read again
    return pq.read_metadata(file)


@lru_cache(maxsize=64)
def _group_ends(file: Path, modified: int) -> list[int]:
    """The row behind the last one of each row group."""
    metadata = _metadata(file, modified)
    return list(accumulate(metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)))


def _decoded(file: Path, modified: int, row: int) -> bytes | None:
    """The bytes of a row's picture."""
    ends = _group_ends(file, modified)
    group = bisect_right(ends, row)
    picture: bytes | None = _GROUPS.get(file, modified, group)[row - (ends[group - 1] if group else 0)].as_py()
    return picture
