"""The lists of removed and of relabelled photos of a refinement, which can be published without the photos.

Applied to the claimed labels of the sources they give the refined labels. The patch beside them names every photo and
can be applied to another copy of the sources. It has no perceptual hashes: an export does not read the photos again.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.refined.patches.make_patch import make_patch
from pipeline.refinement import Refinement
from pipeline.sources.text_lists import write_table

FOLDER = "_changes"  # readers of a folder of Parquet files skip names that begin with an underscore
_PHOTO = [("source", pa.string()), ("key", pa.string()), ("claimed", pa.string())]
_REASON = [("reason", pa.string()), ("score", pa.float32())]
REMOVED = pa.schema([*_PHOTO, *_REASON])
PATCH_FILE = "patch.parquet"
RELABELLED = pa.schema([*_PHOTO, ("identity", pa.string()), *_REASON])
LISTS = {"removed": REMOVED, "relabelled": RELABELLED}


def write_change_lists(refinement: Refinement, folder: Path) -> None:
    """Write both lists, as Parquet and as TSV, and the patch to the new folder FOLDER in `folder`."""
    (folder / FOLDER).mkdir()
    paths = {name: folder / FOLDER / f"{name}.parquet" for name in LISTS}
    sources = refinement.photos.batches(["source"])
    with (
        pq.ParquetWriter(paths["removed"], REMOVED, compression="zstd") as removed_file,
        pq.ParquetWriter(paths["relabelled"], RELABELLED, compression="zstd") as relabelled_file,
    ):
        for labels, source in zip(refinement.labels.batches(), sources, strict=True):
            rows = labels.append_column("source", source["source"])
            removed = rows["identity"].is_null()
            relabelled = pc.and_(pc.invert(removed), pc.not_equal(rows["identity"], rows["claimed"]))
            removed_file.write_table(rows.filter(removed).select(REMOVED.names))
            relabelled_file.write_table(rows.filter(relabelled.fill_null(False)).select(RELABELLED.names))
    for name, path in paths.items():
        with open(path.with_suffix(".tsv"), "w", newline="", encoding="utf-8") as stream:
            write_table(stream, LISTS[name].names, _rows(path))
    make_patch(refinement, folder / FOLDER / PATCH_FILE, hashes=None)


def _rows(file: Path) -> Iterator[list[str]]:
    """The rows of a list as text, block by block."""
    for batch in pq.ParquetFile(file).iter_batches(4096):
        for row in batch.to_pylist():
            words = [row[name] or "" for name in batch.schema.names if name != "score"]
            yield [*words, "" if row["score"] is None else f"{row['score']:.4f}"]
