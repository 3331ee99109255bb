"""The frame on which the parts of one person are drawn; nearer parts cover farther parts."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample.drawing.conditions import Pose
from pipeline.sample.drawing.fields import Field
from pipeline.sample.drawing.projection import FramePosition, project
from pipeline.sample.drawing.raster import rasterise
from pipeline.sample.drawing.surfaces import BodyPart
from pipeline.sample.people import Person

FAR = np.float32(-1e6)
MAX_LINE = 1024  # points a line: OpenCV's remap takes at most 32,767
INSIDE_BRIGHTNESS = 0.45  # of the far inner side of the hair


class Layers:
    """A frame [pixels, 4] of colours times opacity, and opacity; and the depth [pixels] in mm towards the camera."""

    def __init__(self, rows: int, columns: int) -> None:
        self.size = rows, columns
        self.frame = np.zeros((rows * columns, 4), np.float32)
        self.depth = np.full(rows * columns, FAR, np.float32)

    def put(self, part: BodyPart, points: Field, *, inside: bool = False) -> None:
        """Draw a part at its points [h, w, 3] (x, y in pixels, depth in mm); inside: its far inner side, darker."""
        visible = rasterise(points, self.size, inside=inside)
        depth = visible.depth + np.float32(part.depth_offset)
        nearer = np.flatnonzero(depth > self.depth[visible.pixel])
        pixel = visible.pixel[nearer]
        colours = _sample(part, points.shape[:2], visible.column[nearer], visible.row[nearer])
        if inside:
            colours[:, :3] *= INSIDE_BRIGHTNESS
        if part.colours.shape[2] == 3:
            self.frame[pixel] = colours
            self.depth[pixel] = depth[nearer]
            return
        opacity = colours[:, 3:].copy()
        colours[:, 3] = 1
        self.frame[pixel] += (colours - self.frame[pixel]) * opacity

    def put_glasses(self, person: Person, pose: Pose, turn: Field, position: FramePosition) -> None:
        """Draw the frame of a pair of glasses over the face; turn [3, 3]: the rotation of the head."""
        angle = np.linspace(0, 2 * np.pi, 40)
        layer = np.zeros(self.size, np.float32)
        thickness = max(2, round(2.2 * position.scale))
        lines = []
        for side in (-1, 1):
            across = 22 * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.7
            down = 17 * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.7
            x = side * person.shape.eye_x * 1.03 + across
            lines.append(np.stack([x, 2 + down, 104 - 0.18 * np.abs(x)], 1))
            if side * pose.yaw < 10:
                arm = [(side * (person.shape.eye_x + 22), -4, 94), (side * 78, -4, 5)]
                lines.append(np.array(arm, np.float32))
        lines.append(np.array([(-9, -3, 108), (9, -3, 108)], np.float32))  # the bridge
        for points in lines:
            xy = project(points.astype(np.float32), turn, position)[:, :2]
            cv2.polylines(layer, [np.rint(xy * 8).astype(np.int32)], False, 1.0, thickness, cv2.LINE_AA, 3)
        drawn = np.flatnonzero(layer)
        self.frame[drawn, :3] *= (1 - 0.9 * layer.ravel()[drawn])[:, None]

    def shrunk(self, rows: int, columns: int) -> tuple[Field, Field]:
        """The frame at a smaller size: colours times opacity [rows, columns, 3], and opacity [rows, columns]."""
        small = cv2.resize(self.frame.reshape(*self.size, 4), (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(small[..., :3], np.float32), np.asarray(small[..., 3], np.float32)


def _sample(part: BodyPart, grid: tuple[int, ...], column: Field, row: Field) -> NDArray[np.float32]:
    """The colours and the opacity (1 where a part has none) [n, 4] of a part at columns and rows [n] of its grid."""
    finer = [np.float32((n - 1) / (m - 1)) for n, m in zip(part.colours.shape[:2], grid, strict=True)]
    lines = -(-len(column) // MAX_LINE)
    places = np.zeros((2, lines * MAX_LINE), np.float32)
    places[0, : len(column)], places[1, : len(row)] = column * finer[1], row * finer[0]
    across, down = places.reshape(2, lines, MAX_LINE)
    colours = part.colours
    if colours.shape[2] == 3:
        colours = cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA)
    sampled = cv2.remap(colours, across, down, cv2.INTER_LINEAR) if lines else np.zeros((0, 4), np.float32)
    return np.asarray(sampled, np.float32).reshape(-1, 4)[: len(column)]
