"""Photos of drawn people: their positions in the frame, the drawing itself, and the camera's effects on the picture.

Convention: boxes (x1, y1, x2, y2) and landmarks (x, y) in the photo's pixels, origin top left, pixel centres at whole
numbers.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample.drawing import head
from pipeline.sample.drawing.bust import draw_bust, random_outfit
from pipeline.sample.drawing.conditions import Camera, Light, random_camera, random_light, random_pose
from pipeline.sample.drawing.face.chart import empty_chart
from pipeline.sample.drawing.fields import Field
from pipeline.sample.drawing.hair import draw_hair, hangs_loose
from pipeline.sample.drawing.layers import Layers
from pipeline.sample.drawing.projection import FramePosition, project, rotation
from pipeline.sample.drawing.scenery import draw_scenery
from pipeline.sample.drawing.surfaces import BodyPart, light_in_body_axes
from pipeline.sample.people import Person, make_person, vary_looks

SUPERSAMPLING = 1.5  # people are drawn this many times larger, then reduced by averaging
TONES = (np.linspace(0, 1, 8192) ** (1 / 2.2)).astype(
    np.float32
)  # from linear light to the values that a photo stores, gamma 2.2
TO_CAMERA = np.array([0, 0, 1], np.float32)


class DrawnPhoto(NamedTuple):
    """A photo [h, w, 3] (BGR), and for each of k faces the box [k, 4], landmarks [k, 5, 2] and the person's number.

    The first face is that of the photo's subject.
    """

    photo: NDArray[np.uint8]
    boxes: Field
    landmarks: Field
    people: tuple[int, ...]


class PersonLayer(NamedTuple):
    """One person on an empty frame: colours times opacity [h, w, 3], opacity [h, w], box [4], landmarks [5, 2]."""

    colours: Field
    opacity: Field
    box: Field
    landmarks: Field


def draw_people(count: int, photos_each: int, seed: int) -> Iterator[DrawnPhoto]:
    """Clean photos of some people, person after person; the same seed gives the same photos."""
    for number in range(count):
        person = make_person(seed, number)
        for i in range(photos_each):
            yield draw_portrait(person, np.random.default_rng([3, seed, number, i]))


def draw_portrait(person: Person, rng: np.random.Generator, *, bystanders: Sequence[Person] = ()) -> DrawnPhoto:
    """A photo of a person; bystanders: other people in it, smaller and farther from the middle."""
    camera = random_camera(rng, people=1 + len(bystanders))
    light = random_light(rng)
    picture = draw_scenery(rng, camera.height, camera.width)
    positions = _positions(camera, len(bystanders), rng)
    layers = [
        _draw_person(p, position, camera, light, rng)
        for p, position in zip((person, *bystanders), positions, strict=True)
    ]
    for layer in reversed(layers):
        picture = picture * (1 - layer.opacity[..., None]) + layer.colours
    return DrawnPhoto(
        photo=_develop(picture, camera, rng),
        boxes=np.stack([layer.box for layer in layers]),
        landmarks=np.stack([layer.landmarks for layer in layers]),
        people=(person.number, *(p.number for p in bystanders)),
    )


def _positions(camera: Camera, bystanders: int, rng: np.random.Generator) -> Iterator[FramePosition]:
    """The position of the photo's subject, then the positions of the bystanders."""
    side = float(rng.choice((-1, 1)))
    middle = 0.5 * camera.width - side * (0.16 * camera.width if bystanders == 1 else 0)
    yield FramePosition(
        middle + camera.width * float(rng.uniform(-0.05, 0.05)),
        0.47 * camera.height + camera.height * float(rng.uniform(-0.06, 0.07)),
        camera.scale,
    )
    for i in range(bystanders):
        scale = camera.scale * float(rng.uniform(0.62, 0.85))
        sign = side if i % 2 == 0 else -side
        yield FramePosition(
            middle + sign * (95 * camera.scale + 88 * scale) * float(rng.uniform(0.95, 1.15)),
            0.44 * camera.height + camera.height * float(rng.uniform(-0.08, 0.08)),
            scale,
        )


def _draw_person(
    person: Person, position: FramePosition, camera: Camera, light: Light, rng: np.random.Generator
) -> PersonLayer:
    person, pose = vary_looks(person, rng), random_pose(rng)
    turn = rotation(pose.yaw, pose.pitch, pose.roll)
    body_turn = rotation(0.35 * pose.yaw, 0.2 * pose.pitch, 0.3 * pose.roll)
    head_light, view = light_in_body_axes(light, turn), TO_CAMERA @ turn
    per_mm = float(np.clip(1.35 * position.scale, 0.7, 1.5))
    fine = FramePosition(
        SUPERSAMPLING * (position.x + 0.5) - 0.5,
        SUPERSAMPLING * (position.y + 0.5) - 0.5,
        SUPERSAMPLING * position.scale,
    )
    layers = Layers(round(camera.height * SUPERSAMPLING), round(camera.width * SUPERSAMPLING))
    face, landmarks = head.draw_head(person, pose, empty_chart(per_mm), head_light, view)
    hair = draw_hair(person, head.make_skull(person.shape), head_light, view, per_mm)
    bust_light, bust_view = light_in_body_axes(light, body_turn), TO_CAMERA @ body_turn
    bust = draw_bust(person, random_outfit(rng), bust_light, bust_view, per_mm=per_mm, rng=rng)
    if hair is not None:
        layers.put(hair, project(hair.points, turn, fine), inside=True)
    layers.put(bust, project(bust.points, body_turn, fine))
    layers.put(face, project(face.points, turn, fine))
    if not hangs_loose(person):
        for ear in head.draw_ears(person, head_light, view):
            layers.put(ear, project(ear.points, turn, fine))
    if hair is not None:
        layers.put(hair, project(hair.points, turn, fine))
    if person.glasses:
        layers.put_glasses(person, pose, turn, fine)
    colours, opacity = layers.shrunk(camera.height, camera.width)
    return PersonLayer(colours, opacity, _box(face, turn, position), project(landmarks, turn, position)[:, :2])


def _box(face: BodyPart, turn: Field, position: FramePosition) -> Field:
    """The box [4] around a face from the hairline to the chin, as face detectors give it."""
    front = face.points[:, head.COLUMNS // 5 : -(head.COLUMNS // 5)]
    y = front[..., 1]
    outline = project(front[(y > -65) & (y < y.max() - 6)], turn, position)
    return np.concatenate([outline[:, :2].min(0), outline[:, :2].max(0)])


def _develop(picture: Field, camera: Camera, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Linear light as an 8-bit photo: exposure, compressed highlights, gamma, blur, grain and JPEG."""
    exposed = picture * np.float32(0.76 * camera.gain)
    exposed *= np.float32(1.3) / (1 + np.float32(0.42) * exposed)
    stored = TONES[np.clip(exposed * (len(TONES) - 1), 0, len(TONES) - 1).astype(np.uint16)]
    stored = np.clip((stored - 0.5) * np.float32(camera.contrast) + np.float32(0.5), 0, 1)
    if camera.blur:
        stored = cv2.GaussianBlur(stored, (0, 0), camera.blur)
    stored = stored * 255 + rng.standard_normal(stored.shape, np.float32) * np.float32(camera.grain)
    pixels = np.ascontiguousarray(np.clip(stored, 0, 255).astype(np.uint8)[..., ::-1])
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, camera.quality])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
