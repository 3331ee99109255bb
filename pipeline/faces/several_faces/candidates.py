"""The candidates table: the further faces of photos that show several.

The faces table holds the face that a rule takes for the photo's main one. Who a photo is about is often known only
after all photos of an identity were compared; the other faces are kept here until then. Only photos with further faces
are read, a second time. A photo whose main face the source marks with a box has no candidates, nor has an unnamed one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline import schema
from pipeline.faces import quality
from pipeline.faces.accelerator.photo_batches import detect_photos
from pipeline.faces.accelerator.preparation import prepare_threads
from pipeline.faces.align import NoFace, align_from_landmarks, share_inside
from pipeline.faces.extract import DecodedPhoto, decode_photo, row_of_face
from pipeline.faces.picture import Image, decode
from pipeline.faces.protocols import DetectedFaces, FaceDetector
from pipeline.faces.rows.face_row import ROWS
from pipeline.faces.tombstones.tombstones import Tombstones
from pipeline.sources.index import PhotoRow, SourceLocation
from pipeline.sources.photo import SourceUnreachable
from pipeline.tables.prefetch import prefetch
from pipeline.tables.table import Shard, read_shard

MOST = 8  # further faces of a photo that are kept, the largest ones
MIN_PX = 12.0  # pixels; a smaller face is too small to recognise, as in policy.Rates.poor_px
Row = dict[str, Any]
# the shard of photos, and that of faces; where photos were erased on request, the digest of the tombstones
Part = tuple[Shard, Shard] | tuple[Shard, Shard, str]


class SeveralFaces(NamedTuple):
    """A photo with several faces: its row, the landmarks [5, 2] of the main face, and the digest of its bytes."""

    photo: PhotoRow
    main: NDArray[np.float32]
    sha: str


class _Decoded(NamedTuple):
    photo: SeveralFaces
    decoded: DecodedPhoto


class _Detected(NamedTuple):
    photo: SeveralFaces
    decoded: DecodedPhoto
    image: Image  # [h, w, 3], whose sides are decoded.shrink times shorter than the photo's
    faces: DetectedFaces  # in pixels of the image


def candidate_shard(
    part: Part,
    *,
    root: str,
    detector: FaceDetector,
    most: int,
    min_px: float,
    locations: Mapping[str, SourceLocation],
    tombstones: Tombstones | None = None,
    reuse: Sequence[tuple[Part, Shard]] = (),
) -> pa.Table:
    """The further faces of one shard of photos: photo by photo, the largest first.

    most: of a photo; min_px: faces that are smaller in their photo are left out. detector: the one that made the faces.
    reuse: pairs of a part of an earlier run and the shard of candidates that was made from it; the faces of unchanged
    photos are copied from there. tombstones: further faces that were erased on request are left out.
    Raises SourceUnreachable when a photo that was read before cannot be read now.
    """
    photos = _photos_of_several_faces(root, part)
    earlier = _earlier_candidates(root, photos, reuse)
    to_read = [photo for photo in photos if photo.photo.face_id not in earlier]
    threads = prepare_threads(detector)
    decoded = prefetch(lambda photo: _decode(photo, locations), to_read, threads=threads)
    make_rows = partial(_rows, most=most, min_px=min_px)
    detected = detect_photos(
        decoded,
        detector,
        image_of=lambda found: found.decoded.image,
        alone=partial(_detect, detector=detector, make_rows=make_rows),
        join=_detected,
    )
    made = prefetch(make_rows, detected, threads=threads)
    ids = [photo.photo.face_id for photo in photos]
    rows: Iterator[Row] = chain.from_iterable(earlier[photo] if photo in earlier else next(made) for photo in ids)
    if tombstones is not None:
        rows = (row for row in rows if not tombstones.holds_face(row["sketch"]))
    blocks = iter(lambda: list(islice(rows, ROWS)), [])
    empty = schema.CANDIDATES.empty_table()
    return pa.concat_tables([empty, *(pa.Table.from_pylist(block, schema=schema.CANDIDATES) for block in blocks)])


def _photos_of_several_faces(root: str, part: Part) -> list[SeveralFaces]:
    """The named photos in which further faces were detected and whose main face was not given by the source."""
    faces = read_shard(root, part[1], ["sha", "landmarks", "others"])
    several = pc.greater(faces["others"], 0).fill_null(False)
    if not pc.any(several).as_py():
        return []
    columns = zip(
        read_shard(root, part[0]).filter(several).to_pylist(),
        *(faces[name].filter(several).to_pylist() for name in ("landmarks", "sha")),
        strict=True,
    )
    rows = ((PhotoRow(**photo), np.array(points, np.float32).reshape(5, 2), sha) for photo, points, sha in columns)
    return [SeveralFaces(*row) for row in rows if row[0].box is None and row[0].identity is not None]


def _earlier_candidates(
    root: str, photos: Sequence[SeveralFaces], reuse: Sequence[tuple[Part, Shard]]
) -> dict[str, list[Row]]:
    """By face_id of the photo the rows that an earlier run made of the same bytes and the same main face."""
    wanted = {photo.photo.face_id: photo for photo in photos}
    earlier: dict[str, list[Row]] = {}
    for part, candidates in reuse if wanted else ():
        for photo in _photos_of_several_faces(root, part):
            now = wanted.get(photo.photo.face_id)
            if now is not None and now.sha == photo.sha and np.array_equal(now.main, photo.main):
                earlier[photo.photo.face_id] = []
        for row in read_shard(root, candidates).to_pylist():
            if row["photo"] in earlier:
                earlier[row["photo"]].append(row | {"identity": wanted[row["photo"]].photo.identity})
    return earlier


def _decode(photo: SeveralFaces, locations: Mapping[str, SourceLocation]) -> _Decoded:
    decoded = decode_photo(photo.photo, aligned=False, locations=locations)
    if not isinstance(decoded, DecodedPhoto) or decoded.row.sha != photo.sha:
        raise SourceUnreachable(
            f"{photo.photo.key} was read a moment ago, and cannot be read now: repair or mount the disk of "
            f"{locations[photo.photo.source].path}, and run again"
        )
    return _Decoded(photo, decoded)


def _detect(
    found: _Decoded, detector: FaceDetector, make_rows: Callable[[_Detected], list[Row]]
) -> _Detected | list[Row]:
    """The photo with its faces; of one that was too large to be decoded earlier the rows, so that one is in memory."""
    photo, decoded = found
    if decoded.image is not None:
        return _Detected(photo, decoded, decoded.image, detector(decoded.image))
    image = decode(decoded.data, decoded.shrink)
    return make_rows(_Detected(photo, decoded, image, detector(image)))


def _detected(found: _Decoded, image: Image, faces: DetectedFaces) -> _Detected | list[Row]:
    return _Detected(*found, image, faces)


def _rows(found: _Detected | list[Row], *, most: int, min_px: float) -> list[Row]:
    """The rows of the photo's further faces that can be aligned and are large enough."""
    if not isinstance(found, _Detected):
        return found
    shrink, faces, photo = found.decoded.shrink, found.faces, found.photo.photo.face_id
    whole = DetectedFaces(faces.boxes * shrink, faces.scores, faces.landmarks * shrink)
    rows = []
    for number in _further_faces(whole, found.photo.main, min_px)[:most]:
        try:
            face = align_from_landmarks(found.image, faces.landmarks[number])
        except NoFace:
            continue
        row = row_of_face(found.decoded, face, whole, number)._asdict()
        columns = {name: row[name] for name in schema.CANDIDATES.names if name in row}
        own = {
            "face_id": schema.candidate_id(photo, number),
            "photo": photo,
            "box": whole.boxes[number].tolist(),
            "inside": share_inside(faces.landmarks[number], found.image.shape),
        }
        rows.append(columns | own)
    return rows


def _further_faces(faces: DetectedFaces, main: NDArray[np.float32], min_px: float) -> list[int]:
    """The numbers of all faces but the main one that are at least min_px large, the largest first."""
    if not len(faces.scores):
        return []
    distance = np.abs(faces.landmarks - main).max((1, 2))
    sizes = np.round([quality.face_size(points) if np.ptp(points) > 0 else 0.0 for points in faces.landmarks], 3)
    order = np.argsort(-sizes, kind="stable")
    return [i for i in order.tolist() if i != int(distance.argmin()) and sizes[i] >= min_px]
