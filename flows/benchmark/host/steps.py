"""The processor's time of each step of the photo stages for a photo, on one thread: where the time goes."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any, TypeVar

from flows.benchmark.host.stages import bare_decoding, stand_ins
from flows.benchmark.speed.varied_photos import read_photos
from flows.refine.tables import build_photos
from pipeline.errors import UserError
from pipeline.faces.accelerator import batch_detection, face_network
from pipeline.faces.align import align_main_face
from pipeline.faces.extract import DecodedPhoto, decode_photo, row_of_face
from pipeline.faces.picture import Image
from pipeline.faces.protocols import DetectedFaces
from pipeline.faces.rows.face_row import FaceRow, faces_table
from pipeline.faces.rows.stored_faces import decode_faces
from pipeline.sources.index import PhotoRow, Source, SourceLocation
from pipeline.tables.digests import content_digest
from pipeline.tables.parquet import from_parquet, to_parquet

TURNS = 3  # of each step; the fastest one counts
Item = TypeVar("Item")
Steps = dict[str, float]  # microseconds of the processor for a photo, by step


def step_times(source: str, path: str, photos: int) -> Steps:
    """The time of each step for the first so many photos of a source. Raises UserError where none can be decoded."""
    with tempfile.TemporaryDirectory() as folder:
        table, locations = build_photos(folder, [Source("data", source, path)])
        rows = [PhotoRow(**row) for row in _first(table.batches(), photos)]
        steps = _photo_steps(rows, locations, Path(folder))
    bare = min(bare_decoding(read_photos(source, path, photos), 1).cpu for _ in range(TURNS))
    return {"bare decoding of the files": 1e6 * bare / len(rows), **steps}


def _photo_steps(rows: Sequence[PhotoRow], locations: Mapping[str, SourceLocation], folder: Path) -> Steps:
    detector, embedder = stand_ins(folder)
    steps: Steps = {}

    def timed(name: str, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """What work makes of the items; while it is timed its results are dropped, as the pipeline drops them."""
        times = []
        for _ in range(TURNS):
            start = time.thread_time()
            for item in items:
                work(item)
            times.append(time.thread_time() - start)
        steps[name] = 1e6 * min(times) / len(rows)
        return [work(item) for item in items]

    def cut(photo: DecodedPhoto, image: Image, faces: DetectedFaces) -> FaceRow:
        face, whole, i = align_main_face(image, faces, photo.box, shrink=photo.shrink)
        return row_of_face(photo, face, whole, i)

    read = timed("read, check and decode", lambda row: decode_photo(row, aligned=False, locations=locations), rows)
    decoded = [(photo, photo.image) for photo in read if isinstance(photo, DecodedPhoto) and photo.image is not None]
    if not decoded:
        raise UserError("none of the photos can be decoded: give a source that holds some")
    decoded.sort(key=lambda item: detector.batch_key(item[1]))
    alike = [list(images) for _, images in groupby((image for _, image in decoded), detector.batch_key)]
    batches = [batch for images in alike for batch in _in_batches(images, batch_detection.BATCH)]
    detected = chain.from_iterable(timed("input and output of the detector", detector.detect_batch, batches))
    found = [(photo, image, faces) for (photo, image), faces in zip(decoded, detected, strict=True)]
    cut_faces = timed("cut, measure and encode the face", lambda item: cut(*item), found)
    (table,) = timed("columns of the faces table", faces_table, [cut_faces])
    (data,) = timed("Parquet, written", to_parquet, [table])
    timed("Parquet, digest and read", lambda d: (content_digest(d), content_digest(d), from_parquet(bytes(d))), [data])
    jpegs = [row.jpeg for row in cut_faces if row.jpeg]
    faces = timed("decode the stored face", decode_faces, _in_batches(jpegs, face_network.BATCH))
    timed("input and output of the embedder", embedder, faces)
    return steps


def _in_batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _first(batches: Iterator[Any], count: int) -> Iterator[dict[str, Any]]:
    """The first rows of some batches."""
    for batch in batches:
        if count > 0:
            yield from batch.slice(0, count).to_pylist()
        count -= len(batch)
