"""The perceptual hash of whole photos, by which copies of a data set are matched photo by photo.

It is the 64-bit pHash (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", as in the
program `imagehash`): the photo in grey at 32x32 pixels, its 8x8 lowest frequencies by a cosine transform, and for each
whether it is above their median. The sketches of faces, which are in the faces table, give no such hash: a detector
aligns the face of a smaller copy a little differently, and a median of 8 of 64 bits changes. Of whole photos that were
scaled and compressed again 88% keep every bit (flows/benchmark/results/patches.md), so the photos are read once more,
and the hashes are kept as a table.
"""

from collections.abc import Collection, Mapping
from functools import partial

import cv2
import numpy as np
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.faces.picture import Image, UnreadablePhoto, check_file_size, decode, decode_shrink
from pipeline.faces.tombstones.tombstones import FAILURE, read_tombstones
from pipeline.refinement import Refinement
from pipeline.sources.files import with_source_retries
from pipeline.sources.index import PhotoRow, SourceLocation, read_photo
from pipeline.sources.photo import PhotoChanged
from pipeline.tables.build import Workers, build
from pipeline.tables.prefetch import prefetch
from pipeline.tables.table import Shard, Table, read_shard

NAME = "phash-64"  # of this definition, in patches: another definition gets another name
SIDE, FREQUENCIES = 32, 8  # of the grey picture in pixels, and in each direction
Part = Shard | tuple[Shard, Shard]  # of photos; where photos were erased on request, with that of their faces
HASHES = pa.schema([("face_id", pa.string()), ("hash", pa.uint64())])  # null: no picture


def picture_hash(image: Image) -> int:
    """The 64-bit perceptual hash of a picture [h, w, 3] in BGR; the lowest frequency is the highest bit."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    # rounded, so that the frequencies of a picture of one colour, which are nearly 0, are all alike
    low = np.round(cv2.dct(grey.astype(np.float32))[:FREQUENCIES, :FREQUENCIES].ravel(), 1)
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def picture_hashes(refinement: Refinement, *, workers: Workers = None) -> Table:
    """The hashes of all photos of a refinement, row by row as its photos table; made where they do not exist yet.

    A photo that was erased on request has none: nothing of it is kept. Raises UserError where a source does not answer.
    """
    locations = {name: SourceLocation(*at) for name, at in refinement.options.sources.items()}
    root, photos = refinement.root, refinement.photos.shards
    erased = read_tombstones(root) is not None
    parts: list[Part] = list(zip(photos, refinement.faces.shards, strict=True)) if erased else list(photos)
    return build(
        root,
        "picture_hashes",
        hash_shard,
        parts,
        schema=HASHES,
        unhashed={"root": root, "locations": locations},
        workers=workers,
    )


def hash_shard(part: Part, *, root: str, locations: Mapping[str, SourceLocation]) -> pa.Table:
    """The hashes of one shard of photos. Raises UserError for a source that is not known."""
    of_photos, *of_faces = (part,) if isinstance(part, Shard) else part
    photos = [PhotoRow(**row) for row in read_shard(root, of_photos).to_pylist()]
    rows = [row for shard in of_faces for row in read_shard(root, shard, ["face_id", "failure"]).to_pylist()]
    erased = {row["face_id"] for row in rows if row["failure"] == FAILURE}
    unknown = {photo.source for photo in photos} - locations.keys()
    if unknown:
        raise UserError(f"{root} does not say where the source {min(unknown)} is: refine again, then make the patch")
    hash_of = partial(_hash, locations=locations, erased=erased)
    hashes = prefetch(hash_of, photos)
    ids = pa.array([photo.face_id for photo in photos], pa.string())
    return pa.table([ids, pa.array(hashes, pa.uint64())], schema=HASHES)


def _hash(photo: PhotoRow, locations: Mapping[str, SourceLocation], erased: Collection[str]) -> int | None:
    """The hash of a photo; None for one that was erased, is no picture, or is not the one that was indexed."""
    if photo.failure or photo.face_id in erased:
        return None
    try:
        check_file_size(photo.length)
        data = with_source_retries(locations[photo.source].path, lambda: read_photo(photo, locations))
        return picture_hash(decode(data, decode_shrink(data, 2 * SIDE)))
    except (UnreadablePhoto, PhotoChanged):
        return None
