"""Time and memory of indexing many small records of Parquet, tar and .tar.gz, beside bare reading of the same files.

Bare reading is what a few lines of Python do: pyarrow gives every row as a dictionary, tarfile every member and its
bytes. Indexing lists the photos, with their identities and the places of their bytes. The whole index also sorts them
into the photos table of a root. Each is measured in a process of its own, in CPU seconds, because other work on the
machine takes a share of the time.
"""

import io
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from flows.benchmark.speed.measured_process import ProcessMeasurement, run_in_own_process
from flows.cli.result import Result
from pipeline.errors import UserError
from pipeline.sources.index import Source, index_photos
from pipeline.sources.kinds import source_format

SHARDS = 10
IDENTITIES = 10_000
PICTURE_BYTES = 40  # of a record in Parquet; a member of the tar is empty, and takes the 512 bytes of its header
ROW_GROUP = 1000
MB_IN_GB = 1000


@dataclass(frozen=True)
class IndexingTable(Result):
    """What each way of going through the records took, by kind of source and way."""

    measured: dict[tuple[str, str], ProcessMeasurement]
    records: int

    def rows(self) -> list[dict[str, Any]]:
        """One row for each kind and way; the result of a measurement is its records and its CPU seconds."""
        return [
            {
                "source": kind,
                "way": way,
                "records": m.result[0],
                "CPU s": f"{m.result[1]:.1f}",
                "records per CPU s": f"{m.result[0] / m.result[1]:,.0f}",
                "peak MB": f"{m.peak_gb * MB_IN_GB:.0f}",
            }
            for (kind, way), m in self.measured.items()
        ]

    def lines(self) -> list[str]:
        """How it was measured."""
        return [f"{self.records} drawn records in {SHARDS} files of each kind; each way in a process of its own"]


def sources(
    records: Annotated[int, typer.Option(help="Records of each kind of source.")] = 1_000_000,
) -> IndexingTable:
    """Measure the indexing of small records in Parquet and tar, beside bare reading with pyarrow and tarfile."""
    if records < SHARDS:
        raise UserError(f"--records {records}: give {SHARDS} or more")
    return IndexingTable(measure_ways(records, run_in_own_process), records)


def measure_ways(records: int, measure: Callable[..., ProcessMeasurement]) -> dict[tuple[str, str], ProcessMeasurement]:
    """The measurement of every way through drawn records, by kind of source and way.

    measure: calls a function with arguments and measures it.
    """
    measured = {}
    for kind, write, bare in KINDS:
        with tempfile.TemporaryDirectory() as folder:  # one kind after the other, because a tar takes 512 MB
            data = Path(folder, "data")
            data.mkdir()
            for shard in range(SHARDS):
                write(data, shard, range(shard * records // SHARDS, (shard + 1) * records // SHARDS))
            for way, function in (("bare reading", bare), ("photos listed", _listed), ("whole index", _indexed)):
                measured[kind, way] = measure(_with_cpu_seconds, _Way(function, kind, folder))
    return measured


@dataclass(frozen=True)
class _Way:
    """A way of going through the records of a kind below a folder; it returns their number."""

    function: Callable[[str, Path], int]
    kind: str
    folder: str

    def __call__(self) -> int:
        return self.function(self.kind, Path(self.folder))


def _with_cpu_seconds(run: Callable[[], int]) -> tuple[int, float]:
    """The number of records that a way went through, and the CPU seconds of all threads of this process."""
    start = time.process_time()
    return run(), time.process_time() - start


def _read_parquet(_: str, folder: Path) -> int:
    return sum(1 for file in _files(folder) for batch in pq.ParquetFile(file).iter_batches() for _ in batch.to_pylist())


def _read_tar(_: str, folder: Path) -> int:
    count = 0
    for file in _files(folder):
        with tarfile.open(file) as tar:
            for member in tar:
                stream = tar.extractfile(member)
                count += stream is not None and stream.read() is not None
    return count


def _listed(kind: str, folder: Path) -> int:
    module = source_format(kind.split()[0])
    return sum(1 for part in module.parts(folder / "data") for _ in module.index(part))


def _indexed(kind: str, folder: Path) -> int:
    photos, _ = index_photos(str(folder / "root"), [Source("data", kind.split()[0], str(folder / "data"))])
    return len(photos)


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / "data").iterdir())


def _write_parquet(folder: Path, shard: int, records: range) -> None:
    """Rows as `datasets` writes them: a struct of bytes and path, and a label."""
    rows = {
        "image": [{"bytes": i.to_bytes(PICTURE_BYTES, "big"), "path": f"{i}.jpg"} for i in records],
        "label": [i % IDENTITIES for i in records],
    }
    pq.write_table(pa.table(rows), folder / f"train-{shard:05}.parquet", row_group_size=ROW_GROUP)


def _write_tar(folder: Path, shard: int, records: range, *, mode: str = "w", ending: str = ".tar") -> None:
    """A member for each record, in the folder of its identity."""
    with tarfile.open(folder / f"{shard:05}{ending}", cast("Any", mode), format=tarfile.USTAR_FORMAT) as tar:
        for i in records:
            tar.addfile(tarfile.TarInfo(f"{i % IDENTITIES}/{i}.jpg"), io.BytesIO())


KINDS: tuple[tuple[str, Callable[[Path, int, range], None], Callable[[str, Path], int]], ...] = (
    ("parquet", _write_parquet, _read_parquet),
    ("webdataset", _write_tar, _read_tar),
    ("webdataset .tar.gz", partial(_write_tar, mode="w:gz", ending=".tar.gz"), _read_tar),
)
