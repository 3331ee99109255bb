"""The lists of removed and of relabelled photos of a refinement, which can be published without the photos.

Applied to the claimed labels of the sources they give the refined labels.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow.csv import CSVWriter, WriteOptions

from pipeline.refinement import Refinement

FOLDER = "_changes"  # readers of a folder of Parquet files skip names that begin with an underscore
_PHOTO = [("source", pa.string()), ("key", pa.string()), ("claimed", pa.string())]
_REASON = [("reason", pa.string()), ("score", pa.float32())]
REMOVED = pa.schema([*_PHOTO, *_REASON])
RELABELLED = pa.schema([*_PHOTO, ("identity", pa.string()), *_REASON])
LISTS = {"removed": REMOVED, "relabelled": RELABELLED}


def write_change_lists(refinement: Refinement, folder: Path) -> None:
    """Write both lists, a row for each photo, as Parquet and as TSV to the new folder FOLDER in `folder`."""
    (folder / FOLDER).mkdir()
    sources = refinement.photos.batches(["source"])
    with ExitStack() as files:
        writers = {
            name: [files.enter_context(writer) for writer in _writers(folder / FOLDER / name, columns)]
            for name, columns in LISTS.items()
        }
        for labels, source in zip(refinement.labels.batches(), sources, strict=True):
            rows = labels.append_column("source", source["source"])
            removed = rows["identity"].is_null()
            relabelled = pc.and_(pc.invert(removed), pc.not_equal(rows["identity"], rows["claimed"]))
            for name, chosen in (("removed", removed), ("relabelled", relabelled.fill_null(False))):
                for writer in writers[name]:
                    writer.write_table(rows.filter(chosen).select(LISTS[name].names))


def _writers(file: Path, columns: pa.Schema) -> Iterator[Any]:
    """The writers of a list as Parquet and as TSV; file: its name without the ending."""
    yield pq.ParquetWriter(file.with_suffix(".parquet"), columns, compression="zstd")
    yield CSVWriter(
        file.with_suffix(".tsv"), columns, write_options=WriteOptions(delimiter="\t", quoting_style="needed")
    )
