"""The faces table: only here are the photos' bytes read, once, and only the aligned face is stored.

A photo without a face has a row, too, with the reason in `failure`. Each photo is read and decoded, its faces are
detected, and its main face is aligned. While the detector works on one photo, other threads decode the next photos and
align the faces of earlier ones.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.faces import quality
from pipeline.faces.accelerator.photo_batches import detect_photos
from pipeline.faces.accelerator.preparation import prepare_threads
from pipeline.faces.align import SIZE, NoFace, align_from_landmarks, align_main_face, fit_aligned_crop, main_face
from pipeline.faces.detect import MAX_SIDE
from pipeline.faces.picture import (
    Image,
    MissingDecoder,
    UnreadablePhoto,
    check_file_size,
    decode,
    decode_shrink,
    decoded_bytes,
    encode_jpeg,
    is_portable,
)
from pipeline.faces.protocols import DetectedFaces, FaceDetector
from pipeline.faces.rows.earlier_faces import earlier_faces
from pipeline.faces.rows.face_row import FaceRow, PartWithTombstones, PhotosReadAgain, faces_table, photos_of
from pipeline.faces.tombstones.tombstones import FAILURE, Tombstones
from pipeline.sources.files import with_source_retries
from pipeline.sources.index import PhotoRow, SourceLocation, read_photo
from pipeline.sources.photo import PhotoChanged, SourceUnreachable
from pipeline.tables.prefetch import prefetch
from pipeline.tables.table import Shard, read_shard

LARGE = 3 << 22  # bytes of 4 megapixels, decoded; a worker decodes larger photos one at a time
CHUNK = 8  # photos that a thread gets at a time: they take a tenth of a millisecond each, and handing over as long
MAX_OTHERS = 32767  # the largest value of the column `others`, which has 16 bits


class DecodedPhoto(NamedTuple):
    """A photo that was read and, unless it is larger than LARGE, decoded."""

    row: FaceRow  # without the face so far
    data: bytes  # of the file
    image: Image | None  # [h, w, 3]; None: not decoded yet
    shrink: int  # the photo's sides divided by those of the image
    box: Sequence[float] | None  # of the main face, see main_face()
    aligned: bool  # whether the photo is an aligned crop already


class DetectedPhoto(NamedTuple):
    """A photo, its pixels [h, w, 3], and the faces that the detector found in them."""

    photo: DecodedPhoto
    image: Image
    faces: DetectedFaces


def extract_shard(
    part: Shard | PhotosReadAgain | PartWithTombstones,
    *,
    root: str,
    detector: FaceDetector,
    aligned: bool,
    locations: Mapping[str, SourceLocation],
    tombstones: Tombstones | None = None,
    reuse: Sequence[tuple[Shard | PartWithTombstones, Shard]] = (),
) -> pa.Table:
    """The faces of one shard of photos, row by row.

    aligned: the photos are aligned crops already, see fit_aligned_crop(); the detector only adds landmarks and
    measures. locations: of the sources, by name. reuse: pairs of a shard of photos of an earlier run and the shard of
    faces that was made from it with the same detector; the faces of unchanged files are copied from there. tombstones:
    of the photos that were erased on request; such a photo is decoded no further than to be recognised, and its row
    holds nothing of it.

    Raises SourceUnreachable when a source does not answer for long: only facts about the photos enter the table.
    """
    shard, read_again = photos_of(part)
    photos = [PhotoRow(**row) for row in read_shard(root, shard).to_pylist()]
    earlier = earlier_faces(root, photos, reuse, tombstones)

    def decoded(photo: PhotoRow) -> FaceRow | DecodedPhoto:
        known = earlier.get(photo.face_id)
        return known or decode_photo(photo, aligned=aligned, locations=locations, tombstones=tombstones)

    threads = prepare_threads(detector)
    photos_decoded = prefetch(decoded, photos, threads=threads, per_thread=1, chunk=CHUNK)
    detected = detect_photos(
        (_without_erased(photo, tombstones) for photo in photos_decoded),
        detector,
        image_of=lambda photo: photo.image if isinstance(photo, DecodedPhoto) else None,
        alone=partial(_detect, detector=detector, tombstones=tombstones),
        join=_detected,
    )
    rows = prefetch(_face_row, detected, threads=threads, per_thread=1, chunk=CHUNK)
    table = faces_table(rows)
    unread = pc.and_(pc.is_null(table["sha"]), pc.is_in(table["face_id"], value_set=pa.array(read_again, pa.string())))
    if pc.any(unread).as_py():
        lost = next(photo for photo, is_lost in zip(photos, unread.to_pylist(), strict=True) if is_lost)
        raise SourceUnreachable(
            f"{lost.key} could be read a moment ago, and cannot be read now: repair or mount the disk of "
            f"{locations[lost.source].path}, and run again"
        )
    return table


def decode_photo(
    photo: PhotoRow, *, aligned: bool, locations: Mapping[str, SourceLocation], tombstones: Tombstones | None = None
) -> FaceRow | DecodedPhoto:
    """The photo, read and decoded; for an unreadable one, and for one that was erased on request, its row."""
    row = FaceRow(photo.face_id, photo.identity)
    try:
        if photo.failure:
            raise UnreadablePhoto(photo.failure.removeprefix("unreadable: "))
        check_file_size(photo.length)
        data = with_source_retries(locations[photo.source].path, lambda: read_photo(photo, locations))
        digest = sha256(data).hexdigest()
        if tombstones is not None and tombstones.holds_file(digest, photo.box):
            return row._replace(failure=FAILURE)
        row = row._replace(sha=digest)
        shrink = 1 if aligned else decode_shrink(data, MAX_SIDE)  # no larger than the detector needs
        image = decode(data, shrink) if decoded_bytes(data) <= LARGE * shrink**2 else None
    except (UnreadablePhoto, PhotoChanged) as error:
        # without a digest the photo is looked at again in every run
        sha = None if isinstance(error, MissingDecoder) else row.sha
        return row._replace(failure=f"unreadable: {error}", sha=sha)
    return DecodedPhoto(row, data, image, shrink, None if aligned else photo.box, aligned)


def _without_erased(photo: FaceRow | DecodedPhoto, tombstones: Tombstones | None) -> FaceRow | DecodedPhoto:
    """The photo; for one that was erased on request its row, which is empty."""
    if tombstones is None or isinstance(photo, FaceRow) or photo.image is None:
        return photo
    return _empty_row(photo) if tombstones.holds_picture(photo.image) else photo


def _empty_row(photo: DecodedPhoto) -> FaceRow:
    return FaceRow(photo.row.face_id, photo.row.identity, failure=FAILURE)


def _detect(
    photo: FaceRow | DecodedPhoto, detector: FaceDetector, tombstones: Tombstones | None = None
) -> FaceRow | DetectedPhoto:
    """The photo with its faces; a finished row is returned as it is, and for an erased photo an empty one.

    A photo larger than LARGE is decoded only here, and its row is made at once, so that only one is in memory.
    """
    if isinstance(photo, FaceRow):
        return photo
    if photo.image is not None:
        return DetectedPhoto(photo, photo.image, detector(photo.image))
    try:
        image = decode(photo.data, photo.shrink)
    except UnreadablePhoto as error:
        return photo.row._replace(failure=f"unreadable: {error}")
    if tombstones is not None and tombstones.holds_picture(image):
        return _empty_row(photo)
    return _face_row(DetectedPhoto(photo, image, detector(image)))


def _detected(photo: FaceRow | DecodedPhoto, image: Image, faces: DetectedFaces) -> FaceRow | DetectedPhoto:
    return photo if isinstance(photo, FaceRow) else DetectedPhoto(photo, image, faces)


def _face_row(detected: FaceRow | DetectedPhoto) -> FaceRow:
    """The row of the faces table for a photo; a row stays as it is."""
    if isinstance(detected, FaceRow):
        return detected
    try:
        return _keep_aligned(*detected) if detected.photo.aligned else _align(*detected)
    except UnreadablePhoto as error:
        return detected.photo.row._replace(failure=f"unreadable: {error}")
    except NoFace as error:
        return detected.photo.row._replace(failure=f"no_face: {error}")


def _align(photo: DecodedPhoto, image: Image, detected: DetectedFaces) -> FaceRow:
    """The row of a photo's main face."""
    face, faces, i = align_main_face(image, detected, photo.box, shrink=photo.shrink)
    return row_of_face(photo, face, faces, i)


def row_of_face(photo: DecodedPhoto, face: Image, faces: DetectedFaces, i: int) -> FaceRow:
    """The row of face i of a photo, cut out as `face` [112, 112, 3]; faces: in pixels of the whole photo.

    The photo is decoded again in full size if the face is too small in the image.
    """
    if photo.shrink > 1 and quality.face_size(faces.landmarks[i]) < photo.shrink * SIZE:
        face = align_from_landmarks(decode(photo.data), faces.landmarks[i])
    return _with_measures(_with_detection(photo.row, faces, i), face, encode_jpeg(face))


def _keep_aligned(photo: DecodedPhoto, image: Image, faces: DetectedFaces) -> FaceRow:
    """The row of an aligned crop: its bytes as they are if it has 112x112 pixels, else brought to that size."""
    face = fit_aligned_crop(image)
    jpeg = photo.data if face is image and is_portable(photo.data) else encode_jpeg(face)
    row = photo.row
    if len(faces.scores):
        row = _with_detection(row, faces, main_face(faces, width=image.shape[1], height=image.shape[0]))
    return _with_measures(row, face, jpeg)


def _with_measures(row: FaceRow, face: Image, jpeg: bytes) -> FaceRow:
    return row._replace(jpeg=jpeg, **quality.measure_face(face)._asdict())


def _with_detection(row: FaceRow, faces: DetectedFaces, i: int) -> FaceRow:
    landmarks = faces.landmarks[i]
    return row._replace(
        landmarks=landmarks.ravel().tolist(),
        score=float(faces.scores[i]),
        others=min(len(faces.scores) - 1, MAX_OTHERS),
        yaw=quality.yaw(landmarks),
        size_px=quality.face_size(landmarks),
    )
