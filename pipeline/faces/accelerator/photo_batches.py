"""Detects the faces of many photos in order: one at a time on the processor, in batches of like size on a card."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pipeline.faces.accelerator.batch_detection import BATCH
from pipeline.faces.accelerator.like_size import Like, Limits, in_batches_of_like
from pipeline.faces.picture import Image
from pipeline.faces.protocols import BatchDetector, DetectedFaces, FaceDetector

Photo = TypeVar("Photo")
Result = TypeVar("Result")
# a photo of an odd size waits while up to four batches, or 128 MB of pictures, go ahead of it
LIMITS = Limits(BATCH, 4 * BATCH, 1 << 27)


def detect_photos(
    photos: Iterable[Photo],
    detector: FaceDetector,
    *,
    image_of: Callable[[Photo], Image | None],
    alone: Callable[[Photo], Result],
    join: Callable[[Photo, Image, DetectedFaces], Result],
) -> Iterator[Result]:
    """The result for each photo, in order.

    alone: detects the faces of one photo, and makes its result. On a card join makes it from the photo, its picture
    [h, w, 3] and the faces found in a batch. image_of: the picture; None: the photo is left to `alone` there, too.
    """
    if not isinstance(detector, BatchDetector) or not detector.on_card:
        yield from map(alone, photos)
        return
    find, key = detector.detect_batch, detector.batch_key

    def like(photo: tuple[Photo, Image | None]) -> Like:
        image = photo[1]
        return Like(None) if image is None else Like(key(image), image.nbytes)

    def detect(batch: list[tuple[Photo, Image | None]]) -> list[Result]:
        pictures = [image for _, image in batch if image is not None]
        if len(pictures) < len(batch):
            return [alone(photo) for photo, _ in batch]
        return [
            join(photo, image, faces) for (photo, _), image, faces in zip(batch, pictures, find(pictures), strict=True)
        ]

    yield from in_batches_of_like(((photo, image_of(photo)) for photo in photos), like, detect, LIMITS)
