"""A head: a bare skull made from a profile, with the surface of the face laid over it, and the ears."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.sample.drawing.colours import skin_colour
from pipeline.sample.drawing.conditions import Light, Pose
from pipeline.sample.drawing.face.chart import CHART_SIZE, Chart
from pipeline.sample.drawing.face.mouth import corner_x
from pipeline.sample.drawing.face.surface import FaceSurface, face_surface
from pipeline.sample.drawing.fields import Field, gaussian, resample, smooth_step
from pipeline.sample.drawing.surfaces import BodyPart, along, around, normals, shade
from pipeline.sample.measures import Shape
from pipeline.sample.people import Person

ROWS, COLUMNS = 92, 76  # of the skull's grid: a point every 3 mm in front
MAX_AZIMUTH = np.deg2rad(132)  # the grid covers the head up to this angle, 0 in front
FRONT = 1.2  # radians: landmarks lie within; at larger angles the underside of the jaw may have the same x and y


class Skull(NamedTuple):
    """The bare head: its profile [rows, 3] (y, z, half width), angles [1, w] and points [h, w, 3] in mm."""

    profile: Field
    azimuth: Field
    points: Field


@lru_cache(maxsize=2)  # called for the face and then for the hair of one person
def make_skull(shape: Shape) -> Skull:
    """The bare head of a shape: cross-sections along a profile from the crown to under the chin."""
    profile = along(_profile(shape), ROWS)
    share = np.linspace(-1, 1, COLUMNS, dtype=np.float32)[None]
    azimuth = MAX_AZIMUTH * (0.66 * share + 0.34 * share**3)  # denser in front
    sideways, forward = around(azimuth)
    y, z, width = (profile[:, i : i + 1] for i in range(3))
    # the jaw rises towards the ears
    y_lifted = y - 45 * (1 - np.maximum(np.cos(azimuth), 0.05)) * smooth_step(y, 35, shape.chin_y + 2)
    return Skull(profile, azimuth, np.stack([width * sideways, y_lifted, z * forward], -1).astype(np.float32))


def _profile(s: Shape) -> Field:
    chin, jaw = s.chin_y, s.jaw
    y = np.array(
        [
            s.crown_y,
            s.crown_y + 4,
            s.crown_y + 16,
            s.crown_y + 36,
            -55,
            -25,
            0,
            25,
            50,
            chin - 38,
            chin - 18,
            chin - 5,
            chin + 3,
            chin + 6,
            chin + 4,
        ]
    )
    slope = 0.3 * s.forehead_slope
    z = np.array([5, 36, 62, 78 + slope, 88 - slope, 93, 91, 88, 87, 86, 84, 80, 68, 45, 15])
    cheek = 66 * np.sqrt(s.face_width * jaw)
    width = np.array(
        [2, 32, 55, 69, 75.5, 76 + s.temple, 74.5, 73 * s.face_width, cheek, 58 * jaw, 52 * jaw, 46 * jaw, 36, 26, 36]
    )
    width[:6] *= s.forehead
    return np.stack([y, z, 1.03 * width], 1)


def draw_head(person: Person, pose: Pose, chart: Chart, light: Light, view: Field) -> tuple[BodyPart, Field]:
    """The head with its face, and five landmarks [5, 3] in mm: eyes, nose tip, mouth corners.

    light, view [3] (towards the camera): in the head's axes. Convention: landmarks in the order of ArcFace's template,
    the eye on the left of the picture first.
    """
    skull = make_skull(person.shape)
    face = face_surface(person, pose, chart, light.key)
    points = skull.points.copy()
    front = smooth_step(np.cos(skull.azimuth), 0.12, 0.5)
    points[..., 2] += front * chart.look_up(face.heights, points[..., 0], points[..., 1])
    drop = 0.55 * pose.mouth_open
    points[..., 1] += drop * smooth_step(skull.points[..., 1], person.shape.mouth_y - 2, person.shape.mouth_y + 25)
    colours = _head_colours(skull, face, chart, light, view)
    return BodyPart(points, colours), _landmarks(person.shape, pose, skull, points)


def _head_colours(skull: Skull, face: FaceSurface, chart: Chart, light: Light, view: Field) -> Field:
    """The shaded colours [rows, columns, 3] of the head over its grid, about as fine as the chart."""
    per_mm = chart.size[1] / CHART_SIZE[1]
    size = round(270 * per_mm), round(225 * per_mm)  # finer across, because the columns are denser in front
    place = resample(skull.points[..., :2], size)
    front = smooth_step(np.cos(resample(np.tile(skull.azimuth, (2, 1)), (2, size[1]))[:1]), 0.12, 0.5)
    down, right = np.gradient(face.heights, 1 / per_mm)
    slopes = chart.look_up(np.dstack([right, down]).astype(np.float32), place[..., 0], place[..., 1]) * front[..., None]
    normal = resample(normals(skull.points), size)
    normal[..., :2] -= normal[..., 2:] * slopes  # the normal of the skull plus a relief along z
    colours = chart.look_up(face.colours, place[..., 0], place[..., 1])
    gloss_and_light = chart.look_up(np.dstack([face.gloss, face.occlusion, face.shadow]), place[..., 0], place[..., 1])
    under_jaw = resample(np.tile(_jaw_light(skull), (1, 2)), (size[0], 2))[:, :1]
    return shade(
        colours,
        normal,
        light,
        view=view,
        gloss=gloss_and_light[..., 0] * under_jaw,
        occlusion=gloss_and_light[..., 1] * under_jaw,
        shadow=gloss_and_light[..., 2] * under_jaw,
    )


def _jaw_light(skull: Skull) -> Field:
    """The share of light [rows, 1] that reaches each row past the neck and shoulders: less under the jaw."""
    edge = int(np.argmax(skull.profile[:, 0]))
    return 1 - 0.6 * smooth_step(np.arange(ROWS)[:, None], edge - 8, edge + 1)


def _landmarks(shape: Shape, pose: Pose, skull: Skull, points: Field) -> Field:
    """The landmarks [5, 3] on the head's points, found by their x and y on the skull."""
    corner_y = shape.mouth_y - 6 * pose.smile - 2
    corner = corner_x(shape, pose)
    # detectors place the nose tip and the mouth a little higher than they are drawn
    flat = [
        (-shape.eye_x, -0.2),
        (shape.eye_x, -0.2),
        (0, shape.nose_length - 8 - 0.5 * shape.nose_turn),
        (-corner, corner_y),
        (corner, corner_y),
    ]
    behind = (np.abs(skull.azimuth) > FRONT) | (points[..., 2] < 45)
    landmarks = []
    for x, y in flat:
        distance = (skull.points[..., 0] - x) ** 2 + (skull.points[..., 1] - y) ** 2 + 1e6 * behind
        i, j = np.unravel_index(int(np.argmin(distance)), distance.shape)
        right, down = (
            (skull.points[i, j + 1] - skull.points[i, j - 1]) / 2,
            (skull.points[i + 1, j] - skull.points[i - 1, j]) / 2,
        )
        across = np.linalg.solve(np.stack([right[:2], down[:2]], 1), np.array([x, y]) - skull.points[i, j, :2])
        edges = points[i, j + 1] - points[i, j - 1], points[i + 1, j] - points[i - 1, j]
        landmarks.append(points[i, j] + across[0] * edges[0] / 2 + across[1] * edges[1] / 2)
    return np.array(landmarks, np.float32)


def draw_ears(person: Person, light: Light, view: Field) -> Iterator[BodyPart]:
    """Both ears, each a shell with a rim and a hollow."""
    u, v = np.linspace(-1, 1, 16, dtype=np.float32)[None], np.linspace(-1, 1, 22, dtype=np.float32)[:, None]
    radius = np.sqrt(u * u + v * v)
    colour = skin_colour(person) * np.array([1.0, 0.86, 0.84], np.float32)
    for side in (-1, 1):
        rim, hollow = gaussian(radius, 0.82, 0.1), gaussian(radius, 0, 0.35)
        out = 70 * person.shape.face_width + 5 - 9 * u * 0.9 + 3.5 * rim - 4 * hollow
        points = np.stack([side * out, 12 + 31 * v - 4 * u + 0 * radius, -12 + 13 * u + 0 * radius], -1).astype(
            np.float32
        )
        if side > 0:
            points = points[:, ::-1]
        bulge = normals(points)
        bulge *= np.sign(bulge[11, 8] @ np.array([side, 0, 0.6]) + 1e-6)
        shown = shade(
            np.broadcast_to(colour, points.shape),
            bulge,
            light,
            view=view,
            gloss=np.full_like(radius, 0.1),
            occlusion=np.clip(0.5 + 0.45 * radius, 0, 1)[:, ::-side],
        )
        opacity = smooth_step(radius, 1.02, 0.94)[:, ::-side]
        yield BodyPart(points, resample(np.dstack([shown, opacity]).astype(np.float32), (66, 48)), -2.0)
