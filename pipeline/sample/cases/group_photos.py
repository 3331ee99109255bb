"""Group photos: some photos of a data set become pictures of two to four people, of whom one is the photo's person.

The input is a folder of photos with its truth (photos/, truth.tsv; see pipeline/README.md) whose photos show one face
in their middle. The middles of several photos are put side by side, in sizes and at places that are drawn so that in a
given share of them the face with the largest area less twice the squared distance from the centre is another person's.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.sample.cases.truth_tables import IDENTITIES, Row, read_rows, write_rows
from pipeline.tables import storage

PLACES_FILE = "group_photos.tsv"
PLACE_COLUMNS = ("path", "kind", "faces", "x1", "y1", "x2", "y2", "rule_is_wrong")
MIDDLE = 0.7  # share of a photo's sides around its centre that is shown; of an LFW photo its head and hair
FACE = 0.52  # width of a face divided by that of the middle: about 95 of 175 pixels of an LFW photo
MIN_TILE, MAX_TILE = 80, 230  # pixels of a middle in the group photo: faces of 40 to 120 pixels
MAX_TRIES = 500  # layouts drawn until the rule is right, or wrong, as wanted
JPEG_QUALITY = 92
GREY = 118
Image = NDArray[np.uint8]


class Layout(NamedTuple):
    """Where the middles of n photos lie in a group photo; row 0 is the photo's person."""

    corners: NDArray[np.int64]  # [n, 2]: x, y of each upper left corner
    sizes: NDArray[np.int64]  # [n]: side in pixels
    width: int
    height: int

    def rule_is_wrong(self) -> bool:
        """Whether the face with the largest area less twice the squared distance from the centre is another's."""
        centre = self.corners + self.sizes[:, None] / 2 - np.array([self.width, self.height]) / 2
        return int(np.argmax((FACE * self.sizes) ** 2 - 2 * (centre**2).sum(1))) != 0


class GroupPhotosAccount(NamedTuple):
    """What was planted: photos by kind, and in how many the rule takes another person's face."""

    photos: dict[str, int]
    rule_is_wrong: int


def plant_group_photos(
    folder: Path, out: Path, *, share: float = 0.35, wrong: float = 0.3, seed: int = 0
) -> GroupPhotosAccount:
    """Copy a data set with its truth to `out`, and make a share of its clean, outlier and flip photos group photos.

    Keys and truth stay as they are. wrong: the share of group photos in which the rule takes another face. The further
    people of a clean photo are any others; those of an outlier or flip have no identity in the data, so that only the
    photo's person can have one. out/group_photos.tsv lists for each group photo its kind, its number of faces, and the
    place of its person in pixels. Raises UserError where `out` exists or `folder` has no truth.
    """
    if out.exists():
        raise UserError(f"{out} exists: give a folder that is not there yet")
    rows = read_rows(folder)
    rng = np.random.default_rng([71, seed])
    identities = _persons_of_identities(folder, rows)
    times = Counter(row["of"] for row in rows)  # a picture that comes twice stays as it is
    originals = {row["of"] for row in rows if row["kind"] == "duplicate"}
    single = [r for r in rows if times[r["of"]] < 2 and r["path"] not in originals]
    pool = [r for r in rows if r["kind"] in ("clean", "outlier")]
    unknown = [r for r in rows if r["kind"] == "outlier"]
    chosen = [r for r in single if r["kind"] in ("clean", "outlier", "flip") and rng.random() < share]
    shutil.copytree(folder, out)
    places, photos, wrong_ones = list[tuple[object, ...]](), Counter[str](), 0
    for row in chosen:
        avoided = {row["person"], *identities.get(row["claimed"], ())}
        others = _draw_others(pool if row["kind"] == "clean" else unknown, avoided, int(rng.integers(1, 4)), rng)
        middles = [_middle(folder / "photos" / r["path"]) for r in (row, *others)]
        if any(m is None for m in middles):
            continue
        layout = draw_layout(len(middles), wrong=bool(rng.random() < wrong), rng=rng)
        picture = compose([m for m in middles if m is not None], layout)
        storage.put(str(out), f"photos/{row['path']}", picture)
        places.append(_place(row, layout))
        photos[row["kind"]] += 1
        wrong_ones += layout.rule_is_wrong()
    write_rows(out, PLACES_FILE, PLACE_COLUMNS, places)
    return GroupPhotosAccount(dict(photos), wrong_ones)


def draw_layout(faces: int, *, wrong: bool, rng: np.random.Generator) -> Layout:
    """Middles of drawn sizes in a row, the photo's person at any place; drawn again until the rule is wrong as wanted.

    The row is at most MAX_TRIES times drawn again, so that the result may rarely differ from what is wanted.
    """
    for _ in range(MAX_TRIES):
        layout = _row(rng.integers(MIN_TILE, MAX_TILE, faces), rng)
        if layout.rule_is_wrong() == wrong:
            break
    return layout


def _row(sizes: NDArray[np.int64], rng: np.random.Generator) -> Layout:
    order, height = rng.permutation(len(sizes)), int(sizes.max()) + 40
    corners, x = np.empty((len(sizes), 2), np.int64), 10
    for i in order.tolist():
        corners[i] = x, rng.integers(0, height - sizes[i] + 1)
        x += int(sizes[i]) + 10
    return Layout(corners, sizes, x, height)


def compose(middles: Sequence[Image], layout: Layout) -> bytes:
    """The group photo of these middles, squares [s, s, 3] of any size, as JPEG."""
    picture = np.full((layout.height, layout.width, 3), GREY, np.uint8)
    for middle, (x, y), size in zip(middles, layout.corners.tolist(), layout.sizes.tolist(), strict=True):
        smaller = size < min(middle.shape[:2])
        method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        picture[y : y + size, x : x + size] = cv2.resize(middle, (size, size), interpolation=method)
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def _middle(file: Path) -> Image | None:
    """The middle of a photo, a square; None where it cannot be decoded."""
    photo = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if photo is None:
        return None
    height, width = photo.shape[:2]
    side = int(MIDDLE * min(height, width))
    y, x = (height - side) // 2, (width - side) // 2
    return np.asarray(photo[y : y + side, x : x + side], np.uint8)


def _draw_others(pool: Sequence[Row], avoided: Iterable[str], count: int, rng: np.random.Generator) -> list[Row]:
    """Photos of `count` different people who are not to be avoided; fewer where the pool is small."""
    seen, others = set(avoided), list[Row]()
    for i in rng.permutation(len(pool))[: 20 * count].tolist():
        if len(others) < count and pool[i]["person"] not in seen:
            seen.add(pool[i]["person"])
            others.append(pool[i])
    return others


def _place(row: Row, layout: Layout) -> tuple[object, ...]:
    (x, y), size = layout.corners[0].tolist(), int(layout.sizes[0])
    return row["path"], row["kind"], len(layout.sizes), x, y, x + size, y + size, int(layout.rule_is_wrong())


def _persons_of_identities(folder: Path, rows: Sequence[Row]) -> dict[str, set[str]]:
    """The persons that each claimed identity stands for, by identities.tsv and by its clean photos."""
    persons: dict[str, set[str]] = {}
    for row in rows:
        if row["kind"] == "clean":
            persons.setdefault(row["claimed"], set()).add(row["person"])
    for row in read_rows(folder, IDENTITIES, ("claimed", "persons"), optional=True):
        persons.setdefault(row["claimed"], set()).update(row["persons"].split())
    return persons
