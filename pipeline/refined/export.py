"""Exports the refined table in one of FACE_FORMATS, or all photos, removed ones too, for FiftyOne.

An export is written to a temporary folder, which is renamed when it is complete. Groups of identities are never
exported.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError
from pipeline.progress import stage_progress
from pipeline.refined.change_lists import FOLDER as CHANGES
from pipeline.refined.formats import fiftyone, huggingface, webdataset
from pipeline.refined.formats.shard_plan import DEFAULT_SIZE, ShardSize, face_file
from pipeline.refined.review_summary import ReviewSummary
from pipeline.refinement import Refinement
from pipeline.sources.record_io.writer import Sample, write_record_io
from pipeline.sources.text_lists import write_table
from pipeline.tables.digests import content_digest, digest_of_file, read_checked, sealed
from pipeline.tables.storage import json_bytes
from pipeline.tables.table import Table
from pipeline.whole_files import whole_folder

FACE_FORMATS = ("parquet", "recordio", "folder", "huggingface", "webdataset")
FORMATS = (*FACE_FORMATS, "fiftyone")
SHARDED = ("huggingface", "webdataset")  # of which the size of a file can be chosen
FILE_DIGESTS = "digests.tsv"  # in an export of folders: path and digest of each face, then of the other files
MANIFEST = "manifest.json"  # in any other export: the same of its files of data (shards) and of the others (files)
IDENTITIES, CARD, CROISSANT = "identities.tsv", "README.md", "croissant.json"
OWN_NAMES = {name.casefold() for name in (FILE_DIGESTS, MANIFEST, IDENTITIES, CARD, CHANGES)}
Files = list[dict[str, object]]  # path and digest of each
LAYOUTS = ("identity_ranges", "plain")


def export(
    table: Table,
    identities: Table,
    out: str | Path,
    *,
    format: str,
    layout: str = "identity_ranges",
    shard_size: ShardSize = DEFAULT_SIZE,
    card: Callable[[Path, Files], None] | None = None,
) -> int:
    """Write a refined table to the folder `out`, which must be new or empty, and return how many photos it has.

    identities: the identities table, written beside the data as identities.tsv (label, identity, photos). format: one
    of FACE_FORMATS. layout: of RecordIO, one of LAYOUTS; "identity_ranges" needs a table in the order of labels.
    shard_size: of a file of SHARDED. card: a function that writes the data card into a folder, given the files of data.
    Raises UserError when `out` is not empty or cannot be written, or the disk is full.
    """
    if format not in FACE_FORMATS:
        raise UserError(f"no format is called {format}: give one of {', '.join(FACE_FORMATS)}")
    with complete_folder(Path(out)) as folder, stage_progress("export", total=len(table.shards)) as tick:
        if format == "folder":
            rows = _written_faces(table, folder, tick)
            write_digests(folder, rows, lambda: described(folder, identities, card, []))
            return len(table)
        columns: dict[str, object] = {}
        if format == "parquet":
            shards, columns = _write_parquet(table, folder, tick), {"schema": table.manifest["schema"]}
        elif format == "huggingface":
            shards = huggingface.write_shards(table, folder, shard_size, tick)
        elif format == "webdataset":
            shards = webdataset.write_shards(table, folder, shard_size, tick)
        else:
            names = identities.read(["identity"])["identity"].to_pylist()
            write_record_io(folder, _samples(table, tick), layout=layout, names=names)  # type: ignore[arg-type]
            shards = _files_with_digests(folder)
        beside = described(folder, identities, card, shards)
        manifest = {"table": "refined", "rows": len(table), "shards": shards, "files": beside, **columns}
        (folder / MANIFEST).write_bytes(json_bytes(sealed(manifest)))
    return len(table)


def export_samples(
    refinement: Refinement,
    identities: Table,
    out: str | Path,
    *,
    review: ReviewSummary,
    card: Callable[[Path, Files], None] | None = None,
) -> fiftyone.PhotoCounts:
    """Write all photos of a refinement, removed ones too, as samples for FiftyOne; returns what became of them.

    review: see PhotoFindings; the rest, and what is raised, as for export().
    """
    counts: Counter[str] = Counter()
    total = len(refinement.photos.shards)
    with complete_folder(Path(out)) as folder, stage_progress("export", total=total) as tick:
        written = fiftyone.written_samples(refinement, review, folder, tick, counts)
        write_digests(folder, written, lambda: described(folder, identities, card, []))
        return fiftyone.count_photos(refinement, counts)


def described(folder: Path, identities: Table, card: Callable[[Path, Files], None] | None, shards: Files) -> Files:
    """Writes the files beside the data, and returns their paths and digests; shards: the files of data."""
    _write_identities(identities, folder)
    if card:
        card(folder, shards)
    paths = [*(folder / name for name in (IDENTITIES, CARD, CROISSANT)), *sorted((folder / CHANGES).glob("*"))]
    names = [str(path.relative_to(folder)) for path in paths if path.exists()]
    return [{"path": name, "digest": digest_of_file(str(folder), name)} for name in names]


@contextmanager
def complete_folder(out: Path) -> Iterator[Path]:
    """A temporary folder that is renamed to `out` when the block succeeds, and removed when it fails or is killed."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} holds something already: give a new folder, or empty it")
    try:
        with whole_folder(out) as temporary:
            yield temporary
    except OSError as error:
        raise UserError(
            f"cannot export to {out} ({error.strerror or error}): make room, or give another folder"
        ) from error


def _write_parquet(table: Table, folder: Path, tick: Callable[[int], None]) -> Files:
    """Write the table's shards, and return their paths, digests and numbers of rows."""
    files = []
    for i, shard in enumerate(table.shards):
        name = f"part-{i:05d}.parquet"
        (folder / name).write_bytes(read_checked(table.root, shard.path, shard.digest))
        files.append({"path": name, "digest": shard.digest, "rows": shard.rows})
        tick(shard.rows)
    return files


def _files_with_digests(folder: Path) -> Files:
    names = sorted(path.name for path in folder.iterdir())
    return [{"path": name, "digest": digest_of_file(str(folder), name)} for name in names]


def _write_identities(identities: Table, folder: Path) -> None:
    with open(folder / IDENTITIES, "w", newline="", encoding="utf-8") as stream:
        rows = ((r["label"], _one_line(r["identity"]), r["photos"]) for r in identities.read().to_pylist())
        write_table(stream, ("label", "identity", "photos"), rows)


def _samples(table: Table, tick: Callable[[int], None]) -> Iterator[Sample]:
    for rows in table.batches(["label", "jpeg", "key"]):
        for batch in rows.to_batches(max_chunksize=1024):
            for row in batch.to_pylist():
                yield Sample(row["label"], row["jpeg"], row["key"])
        tick(len(rows))


def write_digests(folder: Path, data: Iterable[tuple[str, str | None]], beside: Callable[[], Files]) -> None:
    """Write the digests of an export of so many files that no manifest lists them.

    data: the path and digest of each file of data, which are written while this is read; beside: writes the other files
    and returns theirs.
    """

    def rows() -> Iterator[tuple[object, object]]:
        yield from data
        yield from ((file["path"], file["digest"]) for file in beside())

    with open(folder / FILE_DIGESTS, "w", newline="", encoding="utf-8") as stream:
        write_table(stream, ("path", "digest"), rows())


def _written_faces(table: Table, folder: Path, tick: Callable[[int], None]) -> Iterator[tuple[str, str]]:
    """Writes each face to the folder of its identity, and yields its path and digest."""
    for rows in table.batches(["face_id", "identity", "label", "jpeg"]):
        for batch in rows.to_batches(max_chunksize=1024):
            for row in batch.to_pylist():
                identity_folder = folder / safe_name(row["identity"], row["label"])
                identity_folder.mkdir(exist_ok=True)
                face = identity_folder / face_file(row["face_id"], row["jpeg"])
                face.write_bytes(row["jpeg"])
                yield f"{identity_folder.name}/{face.name}", content_digest(row["jpeg"])
        tick(len(rows))


def safe_name(identity: str, label: int) -> str:
    """The name of an identity's folder: the identity; if it is no safe file name, changed and with ~label at its end.

    Names of the export's own files are not safe, in capitals or not: some disks take both for one name.
    """
    name = re.sub(r"[/\\\x00-\x1f\x7f]", "_", identity).lstrip(".")
    name = name.encode()[:200].decode(errors="ignore")
    is_safe = name == identity and "~" not in name and name.casefold() not in OWN_NAMES
    return name if is_safe else f"{name or 'identity'}~{label}"


def _one_line(text: str) -> str:
    return re.sub(r"[\t\r\n]", " ", text)
