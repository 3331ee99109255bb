"""What a folder without photos seems to hold instead, and what to do about it."""

from itertools import islice
from pathlib import Path

LOOKED_AT = 2000  # files of a folder
FORMATS = {  # the end of a file's name, and what to do where there is one
    ".tar.gz": "it holds compressed .tar files: give them as webdataset",
    ".tgz": "it holds compressed .tar files: give them as webdataset",
    ".tar": "it holds .tar files: give them as webdataset",
    ".parquet": "it holds .parquet files: give them as parquet",
    ".rec": "it holds a .rec: give it as record-io",
    ".tsv": "it holds .tsv files: give MS-Celeb-1M's as ms-celeb, a list of photos as photo-list",
    "data.mdb": "it is an LMDB, which is not read: write its pictures to a .tar (guides/data_formats.md has the lines)",
    ".blp": "it is a bcolz array, which is not read: give the .bin of the same test set, or write its pictures",
    "__rootdirs__": "it is a bcolz array, which is not read: give the .bin of the same test set, or write its pictures",
    ".h5": "it holds an HDF5 file, which is not read: write its pictures to folders of people",
    ".hdf5": "it holds an HDF5 file, which is not read: write its pictures to folders of people",
    ".tfrecord": "it holds TFRecord files, which are not read: write their pictures to folders of people",
    ".zip": "it holds an archive: unpack it",
    ".7z": "it holds an archive: unpack it",
    ".gz": "it holds an archive: unpack it",
    ".npy": "it holds arrays and no pictures: give the pictures that they were made from",
}


def other_format(folder: Path, *, otherwise: str = "give a folder of identity/photo.jpg") -> str:
    """What to do about a folder without photos, as the end of a message; otherwise: where nothing in it is known."""
    names = [path.name.lower() for path in islice(folder.rglob("*"), LOOKED_AT)]
    known = (advice for ending, advice in FORMATS.items() if any(name.endswith(ending) for name in names))
    return next(known, otherwise)
