"""The change from the claimed labels to the refined ones as two lists, which may be published without the photos."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.refinement import Refinement

FOLDER = "_changes"  # readers of a folder of Parquet files skip names that begin with an underscore
_PHOTO = [("source", pa.string()), ("key", pa.string()), ("claimed", pa.string())]
_WHY = [("reason", pa.string()), ("score", pa.float32())]
REMOVED = pa.schema([*_PHOTO, *_WHY])
RELABELLED = pa.schema([*_PHOTO, ("identity", pa.string()), *_WHY])
LISTS = {"removed": REMOVED, "relabelled": RELABELLED}


def write_change_lists(refinement: Refinement, folder: Path) -> None:
    """Write removed.parquet and relabelled.parquet, one row a photo, to FOLDER in a folder."""
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
