"""The file of a patch: Parquet with a header in its metadata, written and read batch by batch.

A patch comes from outside, so its header, its columns and its text are checked before anything uses them; pages carry
checksums. Names in it are compared with others and never opened as paths.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.refined.patches.picture_hash import NAME as HASH_NAME
from pipeline.refined.reasons import RELABELLED, REMOVED

VERSION = 1  # of the columns and of the header; to be raised when a new version changes what they mean
PARQUET, FRAME = b"PAR1", 12  # how a Parquet file begins and ends, and the bytes around its content
KEY = b"refinery_patch"  # of the header in the metadata of the file
DISPUTED = "disputed"  # the reason of photos about which merged patches differ: nothing is said about them
REASONS = frozenset({"", DISPUTED, *REMOVED, *RELABELLED})
PATCH = pa.schema(
    [
        ("source", pa.string()),  # the name of the photo's source
        ("key", pa.string()),  # the photo's name within its source
        ("before", pa.string()),  # the identity that the source claims; null: none
        ("after", pa.string()),  # the identity after refinement; null: removed
        ("reason", pa.string()),  # "" when kept under the claimed identity
        ("sha256", pa.binary(32)),  # of the photo's bytes; null: they could not be read
        ("hash", pa.uint64()),  # of the picture, see picture_hash.py; null: no picture, or the patch has no hashes
    ]
)
VECTOR = "x"  # the further column of patches with vectors: of the main face a unit vector in half precision
BATCH_ROWS = 65536
MAX_HEADER_BYTES, MAX_DIM = 1 << 20, 4096  # more than any patch needs


@dataclass(frozen=True)
class PatchedSource:
    """A source of the data that a patch is about; index: see IndexDigest."""

    name: str
    kind: str
    photos: int
    index: str


@dataclass(frozen=True)
class PatchHeader:
    """What a patch says of itself. hash: the definition of its hashes, "": it has none; model: of its vectors."""

    sources: tuple[PatchedSource, ...] = ()
    photos: int = 0
    hash: str = ""
    model: str = ""  # SHA-256 of the embedder's file; "": no vectors
    flip: str = "none"  # how the mirrored face is part of a vector
    dim: int = 0  # of the vectors
    version: int = VERSION

    @property
    def schema(self) -> pa.Schema:
        """The columns of the file."""
        return PATCH.append(pa.field(VECTOR, pa.binary(2 * self.dim))) if self.dim else PATCH

    def as_json(self) -> bytes:
        """The header as it stands in the file."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False).encode()


@dataclass(frozen=True)
class Patch:
    """A patch's file and header; its rows are read by batches()."""

    file: Path
    header: PatchHeader

    def batches(self) -> Iterator[pa.Table]:
        """The rows, at most BATCH_ROWS at a time. Raises UserError where the file is damaged."""
        rows = 0
        with _reading(self.file) as opened:
            for batch in opened.iter_batches(BATCH_ROWS, use_threads=False):
                batch.validate(full=True)  # text is UTF-8
                table = pa.Table.from_batches([batch])
                _check_rows(self.file, table)
                rows += len(table)
                yield table
        if rows != self.header.photos:
            raise UserError(f"{self.file} holds {rows} photos, its header says {self.header.photos}: get it again")


def write_patch(
    file: Path, schema: pa.Schema, batches: Iterable[pa.Table], header: Callable[[int], PatchHeader]
) -> PatchHeader:
    """Write rows to a file, and return its header. header: makes it from the number of rows, after the last of them."""
    rows = 0
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
        for table in batches:
            rows += len(table)
            writer.write_table(table, row_group_size=BATCH_ROWS)
        finished = header(rows)
        writer.add_key_value_metadata({KEY.decode(): finished.as_json().decode()})
    return finished


def is_patch(path: Path) -> bool:
    """Whether a file is a patch, of any version; only the end of a Parquet file is read."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        if size < FRAME or stream.read(4) != PARQUET:
            return False
        stream.seek(size - 8)
        footer = int.from_bytes(stream.read(4), "little")
        if stream.read() != PARQUET or footer > size - FRAME:
            return False
        stream.seek(size - 8 - footer)
        return KEY in stream.read(footer)


def read_patch(file: Path) -> Patch:
    """A patch with its header. Raises UserError for a file that is no patch, is damaged, or is of another version."""
    with _reading(file) as opened:
        raw = (opened.metadata.metadata or {}).get(KEY, b"")
        if not raw or len(raw) > MAX_HEADER_BYTES:
            raise UserError(f"{file} is a Parquet file, but no patch: give a file that `refinery patch make` wrote")
        header = _header(file, raw)
        if not opened.schema_arrow.equals(header.schema):
            columns = ", ".join(f"{f.name} ({f.type})" for f in opened.schema_arrow)[:200]
            expected = ", ".join(f"{f.name} ({f.type})" for f in header.schema)
            raise UserError(f"{file} is no patch: expected the columns {expected}, found {columns}")
        return Patch(file, header)


@contextmanager
def _reading(file: Path) -> Iterator[pq.ParquetFile]:
    """A file that is open while the block reads it; whatever is wrong with it becomes a UserError."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            yield opened
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{file} is not there: give a file that `refinery patch make` wrote") from None
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        what = " ".join(str(error).split())[:120]
        raise UserError(f"{file} is cut short, damaged or no patch ({what}): get it again") from None


def _header(file: Path, raw: bytes) -> PatchHeader:
    try:
        value = json.loads(raw)
        if isinstance(value, dict) and isinstance(value.get("version"), int) and value["version"] != VERSION:
            other = f"version {value['version']} of patches, this program reads {VERSION}"
            raise UserError(f"{file} is of {other}: use the program's version that wrote it, or have it made again")
        header = PatchHeader(**value)
        header = replace(header, sources=tuple(PatchedSource(**source) for source in value["sources"]))
        _check_header(header)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{file} is damaged, its header cannot be read ({str(error)[:120]}): get it again") from None
    return header


def _check_header(header: PatchHeader) -> None:
    """Raise ValueError for a header with values that no patch has."""
    texts = [header.hash, header.model, header.flip, *(t for s in header.sources for t in (s.name, s.kind, s.index))]
    counts = [header.photos, header.dim, header.version, *(source.photos for source in header.sources)]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("names must be text")
    if not all(type(count) is int and count >= 0 for count in counts) or header.dim > MAX_DIM:
        raise ValueError("counts must be whole numbers")
    if not header.photos:
        raise ValueError("it names no photo")
    if header.hash not in ("", HASH_NAME) or bool(header.dim) != bool(header.model):
        raise ValueError(f"hashes {header.hash!r} are not {HASH_NAME}, or vectors have no model")


def _check_rows(file: Path, rows: pa.Table) -> None:
    """Raise UserError for rows that no patch has."""
    for name in ("source", "key", "reason"):
        if rows[name].null_count:
            raise UserError(f"{file} is no patch: a photo has no {name}: get it again")
    unknown = sorted(set(rows["reason"].unique().to_pylist()) - REASONS)
    if unknown:
        raise UserError(f"{file} gives the reason {unknown[0][:80]!r}, which this program does not know: update it")
    if pc.any(pc.and_(rows["after"].is_null(), pc.equal(rows["reason"], ""))).as_py():
        raise UserError(f"{file} is no patch: a photo has neither an identity nor a reason: get it again")
