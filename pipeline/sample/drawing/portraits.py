"""Photos of drawn people: where each stands in the frame, all of them drawn, and what the camera makes of it.

Convention: boxes (x1, y1, x2, y2) and landmarks (x, y) in the photo's pixels, origin top left, pixel centres at whole
numbers.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample import people
from pipeline.sample.drawing import bust, hair, head
from pipeline.sample.drawing.face_map import chart
from pipeline.sample.drawing.fields import Field
from pipeline.sample.drawing.moments import Camera, Light, Moment, camera, light, moment
from pipeline.sample.drawing.raster import rasterise
from pipeline.sample.drawing.scenery import scenery
from pipeline.sample.drawing.surfaces import Part, turned
from pipeline.sample.people import Person

FINER = 1.5  # pixels are drawn so much smaller, then averaged
FROM = 900.0  # mm from the camera to the head
PIVOT = np.array([0, 60, -25], np.float32)  # where a head turns on its neck
FAR = np.float32(-1e6)
WIDEST = 1024  # OpenCV looks up no more than 32,767 places a line
TONES = (np.linspace(0, 1, 8192) ** (1 / 2.2)).astype(np.float32)  # linear light to what a photo stores
TO_US = np.array([0, 0, 1], np.float32)


class Drawn(NamedTuple):
    """A photo [h, w, 3] (BGR), and of each face the box [k, 4], landmarks [k, 5, 2] and the person's number.

    The first face is the one that the photo is about.
    """

    photo: NDArray[np.uint8]
    boxes: Field
    landmarks: Field
    people: tuple[int, ...]


class Place(NamedTuple):
    """Where a person is in the frame: pixels of the point between the eyes, pixels per mm."""

    x: float
    y: float
    scale: float


class Portrayed(NamedTuple):
    """One person on an empty frame: colours times share [h, w, 3], share [h, w], box [4], landmarks [5, 2]."""

    colours: Field
    share: Field
    box: Field
    landmarks: Field


def draw_people(count: int, photos_each: int, seed: int) -> Iterator[Drawn]:
    """Clean photos of some people, person after person; the same seed gives the same photos."""
    for number in range(count):
        who = people.person(seed, number)
        for i in range(photos_each):
            yield portrait(who, np.random.default_rng([3, seed, number, i]))


def portrait(who: Person, rng: np.random.Generator, *, company: Sequence[Person] = ()) -> Drawn:
    """A photo of a person, with others smaller and farther from the middle when there is company."""
    seen = camera(rng, people=1 + len(company))
    lamp = light(rng)
    picture = scenery(rng, seen.height, seen.width)
    places = _places(seen, len(company), rng)
    shown = [_portray(p, where, seen, lamp, rng) for p, where in zip((who, *company), places, strict=True)]
    for one in reversed(shown):
        picture = picture * (1 - one.share[..., None]) + one.colours
    return Drawn(
        photo=_develop(picture, seen, rng),
        boxes=np.stack([one.box for one in shown]),
        landmarks=np.stack([one.landmarks for one in shown]),
        people=(who.number, *(p.number for p in company)),
    )


def _places(seen: Camera, others: int, rng: np.random.Generator) -> Iterator[Place]:
    spread = (seen.width, 0.47 * seen.height, seen.height)
    lean = float(rng.choice((-1, 1)))
    middle = 0.5 * seen.width - lean * (0.16 * seen.width if others == 1 else 0)
    yield Place(
        middle + spread[0] * float(rng.uniform(-0.05, 0.05)),
        spread[1] + spread[2] * float(rng.uniform(-0.06, 0.07)),
        seen.scale,
    )
    for i in range(others):
        scale = seen.scale * float(rng.uniform(0.62, 0.85))
        side = lean if i % 2 == 0 else -lean
        yield Place(
            middle + side * (95 * seen.scale + 88 * scale) * float(rng.uniform(0.95, 1.15)),
            0.44 * seen.height + spread[2] * float(rng.uniform(-0.08, 0.08)),
            scale,
        )


def _turn(yaw: float, pitch: float, roll: float) -> Field:
    (sy, sp, sr), (cy, cp, cr) = np.sin(np.deg2rad([yaw, pitch, roll])), np.cos(np.deg2rad([yaw, pitch, roll]))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y, np.float32)


def _project(points: Field, turn: Field, at: Place) -> Field:
    """Points [..., 3] in mm, turned about the neck, as pixels x, y and a depth in mm [..., 3]."""
    moved = (points - PIVOT) @ turn.T + PIVOT
    near = FROM / (FROM + 60 - moved[..., 2:])
    return np.concatenate([moved[..., :2] * near * at.scale + np.array((at.x, at.y), np.float32), moved[..., 2:]], -1)


def _portray(who: Person, at: Place, seen: Camera, lamp: Light, rng: np.random.Generator) -> Portrayed:
    who, now = people.on_another_day(who, rng), moment(rng)
    turn, body = _turn(now.yaw, now.pitch, now.roll), _turn(0.35 * now.yaw, 0.2 * now.pitch, 0.3 * now.roll)
    here, view = turned(lamp, turn), TO_US @ turn
    detail = float(np.clip(1.35 * at.scale, 0.7, 1.5))
    on = chart(detail)
    fine = Place(FINER * (at.x + 0.5) - 0.5, FINER * (at.y + 0.5) - 0.5, FINER * at.scale)
    layers = _Layers(round(seen.height * FINER), round(seen.width * FINER))
    face, marks = head.head(who, now, on, here, view)
    hairs = hair.hair(who, head.skull(who.shape), here, view, detail)
    worn = bust.bust(who, bust.outfit(rng), turned(lamp, body), TO_US @ body, detail, rng)
    if hairs is not None:
        layers.put(hairs, _project(hairs.points, turn, fine), inside=True)
    layers.put(worn, _project(worn.points, body, fine))
    layers.put(face, _project(face.points, turn, fine))
    if not hair.loose(who):
        for ear in head.ears(who, here, view):
            layers.put(ear, _project(ear.points, turn, fine))
    if hairs is not None:
        layers.put(hairs, _project(hairs.points, turn, fine))
    if who.glasses:
        layers.glasses(who, now, turn, fine)
    colours, share = layers.shrunk(seen.height, seen.width)
    return Portrayed(colours, share, _box(face, turn, at), _project(marks, turn, at)[:, :2])


def _box(face: Part, turn: Field, at: Place) -> Field:
    """The box round a face from the hairline to the chin, as face detectors draw it."""
    part = face.points[:, head.COLUMNS // 5 : -(head.COLUMNS // 5)]
    y = part[..., 1]
    found = _project(part[(y > -65) & (y < y.max() - 6)], turn, at)
    return np.concatenate([found[:, :2].min(0), found[:, :2].max(0)])


class _Layers:
    """A frame that parts of a person are put on, the nearer over the farther: colours and share [pixels, 4]."""

    def __init__(self, rows: int, columns: int) -> None:
        self.size = rows, columns
        self.frame = np.zeros((rows * columns, 4), np.float32)
        self.depth = np.full(rows * columns, FAR, np.float32)

    def put(self, part: Part, points: Field, *, inside: bool = False) -> None:
        """Draw a part at its points [h, w, 3] in pixels; `inside`: its far side, darker and behind all else."""
        seen = rasterise(points, self.size, inside=inside)
        depth = seen.depth + np.float32(part.nudge)
        nearer = np.flatnonzero(depth > self.depth[seen.pixel])
        pixel = seen.pixel[nearer]
        colours = _sample(part, points.shape[:2], seen.column[nearer], seen.row[nearer])
        if inside:
            colours[:, :3] *= 0.45
        if part.colours.shape[2] == 3:
            self.frame[pixel] = colours
            self.depth[pixel] = depth[nearer]
            return
        share = colours[:, 3:].copy()
        colours[:, 3] = 1
        self.frame[pixel] += (colours - self.frame[pixel]) * share

    def glasses(self, who: Person, now: Moment, turn: Field, at: Place) -> None:
        """Draw the frame of a pair of glasses over the face."""
        around = np.linspace(0, 2 * np.pi, 40)
        layer = np.zeros(self.size, np.float32)
        thick = max(2, round(2.2 * at.scale))
        for side in (-1, 1):
            across = 22 * np.sign(np.cos(around)) * np.abs(np.cos(around)) ** 0.7
            down = 17 * np.sign(np.sin(around)) * np.abs(np.sin(around)) ** 0.7
            x = side * who.shape.eye_x * 1.03 + across
            self._line(layer, np.stack([x, 2 + down, 104 - 0.18 * np.abs(x)], 1), turn, at, thick)
            if side * now.yaw < 10:
                arm = [(side * (who.shape.eye_x + 22), -4, 94), (side * 78, -4, 5)]
                self._line(layer, np.array(arm, np.float32), turn, at, thick)
        self._line(layer, np.array([(-9, -3, 108), (9, -3, 108)], np.float32), turn, at, thick)
        drawn = np.flatnonzero(layer)
        self.frame[drawn, :3] *= (1 - 0.9 * layer.ravel()[drawn])[:, None]

    @staticmethod
    def _line(layer: Field, points: NDArray[np.floating], turn: Field, at: Place, thick: int) -> None:
        xy = _project(points.astype(np.float32), turn, at)[:, :2]
        cv2.polylines(layer, [np.rint(xy * 8).astype(np.int32)], False, 1.0, thick, cv2.LINE_AA, 3)

    def shrunk(self, rows: int, columns: int) -> tuple[Field, Field]:
        """Colours times share [rows, columns, 3] and share [rows, columns]."""
        small = cv2.resize(self.frame.reshape(*self.size, 4), (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(small[..., :3], np.float32), np.asarray(small[..., 3], np.float32)


def _sample(part: Part, grid: tuple[int, ...], column: Field, row: Field) -> Field:
    """The colours of a part and 1, or its share, [n, 4] at columns and rows [n] of its grid."""
    finer = [np.float32((n - 1) / (m - 1)) for n, m in zip(part.colours.shape[:2], grid, strict=True)]
    lines = -(-len(column) // WIDEST)
    places = np.zeros((2, lines * WIDEST), np.float32)
    places[0, : len(column)], places[1, : len(row)] = column * finer[1], row * finer[0]
    across, down = places.reshape(2, lines, WIDEST)
    colours = part.colours
    if colours.shape[2] == 3:
        colours = cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA)
    found = cv2.remap(colours, across, down, cv2.INTER_LINEAR) if lines else np.zeros((0, 4), np.float32)
    return np.asarray(found, np.float32).reshape(-1, 4)[: len(column)]


def _develop(picture: Field, seen: Camera, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Linear light as an 8-bit photo: exposure, a shoulder, gamma, blur, grain and JPEG."""
    exposed = picture * np.float32(0.76 * seen.gain)
    exposed *= np.float32(1.3) / (1 + np.float32(0.42) * exposed)
    shown = TONES[np.clip(exposed * (len(TONES) - 1), 0, len(TONES) - 1).astype(np.uint16)]
    shown = np.clip((shown - 0.5) * np.float32(seen.contrast) + np.float32(0.5), 0, 1)
    if seen.blur:
        shown = cv2.GaussianBlur(shown, (0, 0), seen.blur)
    shown = shown * 255 + rng.standard_normal(shown.shape, np.float32) * np.float32(seen.grain)
    pixels = np.ascontiguousarray(np.clip(shown, 0, 255).astype(np.uint8)[..., ::-1])
    coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, seen.quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
