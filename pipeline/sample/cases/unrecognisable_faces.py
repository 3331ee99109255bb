"""Unrecognisable faces: thumbnails, blur, helmets and backs of heads, scattered over the identities of a data set.

The input is a folder of photos with its truth (photos/, truth.tsv; see pipeline/README.md) whose photos show one face
in their middle. Embeddings of such faces say how a photo was spoiled, not whom it shows: thumbnails of many people
match each other. A crowd of them under one identity looks like a person, whom those of all other identities match.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sample.cases.truth_tables import COLUMNS, TRUTH, Row, read_rows, write_mappings, write_rows
from pipeline.tables import storage

LIST_FILE = "unrecognisable_faces.tsv"
LIST_COLUMNS = ("path", "way", "crowd")
FACE = 0.38  # width of a face divided by the photo's smaller side: about 95 of 250 pixels of an LFW photo
CROWDS = 2  # identities that get a crowd of thumbnails
JPEG_QUALITY = 92
Image = NDArray[np.uint8]


def thumbnail(photo: Image, rng: np.random.Generator, *, face: float = FACE) -> Image:
    """A photo [h, w, 3] that was a thumbnail with a face of 9 to 16 pixels, enlarged again."""
    height, width = photo.shape[:2]
    scale = rng.uniform(9, 16) / (face * min(height, width))
    small = cv2.resize(photo, (max(8, round(width * scale)), max(8, round(height * scale))), cv2.INTER_AREA)
    small = np.asarray(cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def blurred(photo: Image, rng: np.random.Generator, *, face: float = FACE) -> Image:
    """A photo [h, w, 3] out of focus, or of a moving camera."""
    width = face * min(photo.shape[:2])
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.035, 0.07) * width), np.uint8)
    length = round(rng.uniform(0.15, 0.3) * width)
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    ends = [tuple(int(v) for v in length / 2 + sign * reach) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(photo, -1, kernel / kernel.sum()), np.uint8)


def helmet(photo: Image, rng: np.random.Generator, *, face: float = FACE) -> Image:
    """A photo [h, w, 3] of somebody with a dark helmet and visor: mouth and chin can be seen."""
    covered, (x, y), width = photo.copy(), _middle(photo), face * min(photo.shape[:2])
    colour = tuple(float(v) for v in rng.uniform(15, 60, 3))
    axes = (1.5 * width, rng.uniform(1.15, 1.35) * width)
    cv2.ellipse(covered, ((x, y - 0.35 * width), axes, 0), colour, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(covered, (0, 0), 0.01 * width), np.uint8)


def back_of_head(photo: Image, rng: np.random.Generator, *, face: float = FACE) -> Image:
    """A photo [h, w, 3] whose face is hidden by hair, as of somebody seen from behind; a trace of the face is left."""
    (x, y), size, (rows, columns) = _middle(photo), face * min(photo.shape[:2]), photo.shape[:2]
    left, right = max(0, round(x - 0.3 * size)), round(x + 0.3 * size)
    hair = photo[max(0, round(y - 0.85 * size)) : max(1, round(y - 0.55 * size)), left:right]
    strands = rng.normal(0, 14, (1, columns, 1)) + rng.normal(0, 5, (rows, columns, 1))
    texture = cv2.GaussianBlur((hair.reshape(-1, 3).mean(0) + strands).astype(np.float32), (0, 0), 0.8)
    mask = np.zeros((rows, columns), np.float32)
    cv2.ellipse(mask, ((x, y), (1.1 * size, 1.5 * size), 0), float(rng.uniform(0.75, 0.9)), -1, cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.05 * size)[..., None]
    return np.asarray(np.clip(photo * (1 - mask) + texture * mask, 0, 255), np.uint8)


def _middle(photo: Image) -> tuple[float, float]:
    return photo.shape[1] / 2, photo.shape[0] / 2


WAYS: dict[str, Callable[..., Image]] = {  # face: width of the face divided by the smaller side of the picture
    "thumbnail": thumbnail,
    "blurred": blurred,
    "helmet": helmet,
    "back of head": back_of_head,
}


def plant_unrecognisable_faces(
    folder: Path, out: Path, *, identities: int = 36, each: int = 10, crowd: int = 30, seed: int = 0
) -> dict[str, int]:
    """Copy a data set with its truth to `out`, and add unrecognisable faces; returns their number by way.

    `identities` identities get `each` photos, spoiled in turn in each of the WAYS, and CROWDS further ones `crowd`
    thumbnails. The photos show people drawn from the whole data set, each once, and count as outliers who show nobody.
    out/unrecognisable_faces.tsv lists them. Raises UserError where `out` exists, `folder` has no truth, or too few
    identities or photos.
    """
    if out.exists():
        raise UserError(f"{out} exists: give a folder that is not there yet")
    rows, rng = read_rows(folder), np.random.default_rng([72, seed])
    claimed = sorted({row["claimed"] for row in rows})
    sources = [r for r in rows if r["kind"] in ("clean", "outlier")]
    needed = identities * each + CROWDS * crowd
    if len(claimed) < identities + CROWDS or len(sources) < needed:
        raise UserError(
            f"{folder} has {len(claimed)} identities and {len(sources)} photos of faces: expected at least "
            f"{identities + CROWDS} and {needed}; give a larger data set"
        )
    chosen = rng.permutation(len(claimed))[: identities + CROWDS]
    places = [(claimed[i], way, 0) for i in chosen[:identities] for way in _ways(each)]
    places += [(claimed[i], "thumbnail", 1) for i in chosen[identities:] for _ in range(crowd)]
    shutil.copytree(folder, out)
    truth, listed = list[Row](), list[Sequence[object]]()
    for number, ((identity, way, in_crowd), i) in enumerate(zip(places, rng.permutation(len(sources)), strict=False)):
        photo = cv2.imread(str(folder / "photos" / sources[i]["path"]), cv2.IMREAD_COLOR)
        if photo is None:
            continue
        path = f"{identity}/unrecognisable_{number:04}.jpg"
        pixels = WAYS[way](np.asarray(photo, np.uint8), rng)
        jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        storage.put(str(out), f"photos/{path}", bytes(jpeg))
        truth.append(dict(zip(COLUMNS, (path, identity, "", "outlier", ""), strict=True)))
        listed.append((path, way, in_crowd))
    write_mappings(out, TRUTH, tuple(rows[0]), [*rows, *truth])
    write_rows(out, LIST_FILE, LIST_COLUMNS, listed)
    return dict(Counter(str(way) for _, way, _ in listed))


def _ways(count: int) -> list[str]:
    """`count` ways in turn."""
    names = list(WAYS)
    return [names[i % len(names)] for i in range(count)]
