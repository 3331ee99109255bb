"""Backgrounds behind people: a wall, a room, a street, trees or lights, out of focus."""

import cv2
import numpy as np

from pipeline.sample.drawing.fields import Field, smooth_noise, smooth_step


def draw_scenery(rng: np.random.Generator, rows: int, columns: int) -> Field:
    """A background [rows, columns, 3] in linear light."""
    backgrounds = (_wall, _room, _street, _trees, _lights)
    size = rows // 2 + 1, columns // 2 + 1  # half the size, because it is blurred anyway
    picture = backgrounds[int(rng.choice(len(backgrounds), p=(0.3, 0.25, 0.15, 0.15, 0.15)))](rng, *size)
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(1.0, 6)))
    picture *= float(rng.uniform(0.6, 1.3))
    return np.asarray(
        cv2.resize(np.clip(picture, 0.004, 1.2), (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32
    )


def _colour(rng: np.random.Generator, *, dull: float = 0.6, dark: float = 0.0) -> Field:
    bright = rng.random(3)
    mixed = bright * (1 - dull) + bright.mean() * dull
    return np.asarray(((0.1 + 0.85 * mixed) * (1 - dark)) ** 2.2, np.float32)


def _gradient(rng: np.random.Generator, rows: int, columns: int, *, dull: float = 0.7) -> Field:
    corners = np.stack([_colour(rng, dull=dull) for _ in range(4)]).reshape(2, 2, 3)
    corners = 0.35 * corners + 0.65 * corners.mean((0, 1))
    return np.asarray(
        cv2.resize(corners.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32
    )


def _wall(rng: np.random.Generator, rows: int, columns: int) -> Field:
    picture = _gradient(rng, rows, columns)
    picture *= (1 + 0.08 * smooth_noise(rng, (rows, columns), (30, 30), (rows, columns)))[..., None]
    x, y = np.linspace(-1, 1, columns)[None], np.linspace(-1, 1, rows)[:, None]
    return np.asarray(picture * (1.15 - 0.3 * (x * x + y * y))[..., None], np.float32)


def _room(rng: np.random.Generator, rows: int, columns: int) -> Field:
    picture = _wall(rng, rows, columns)
    for _ in range(int(rng.integers(2, 7))):  # pictures, doors, windows, shelves
        x, y = int(rng.integers(-20, columns)), int(rng.integers(-20, rows))
        width, height = (int(n) for n in rng.integers(15, 90, 2))
        cv2.rectangle(picture, (x, y), (x + width, y + height), _colour(rng, dull=0.8).tolist(), -1)
        cv2.rectangle(picture, (x, y), (x + width, y + height), _colour(rng, dull=0.9, dark=0.3).tolist(), 3)
    if rng.random() < 0.4:  # books
        x, base = 0, int(rng.integers(rows // 3, rows))
        while x < columns:
            width, height = int(rng.integers(3, 10)), int(rng.integers(22, 40))
            cv2.rectangle(picture, (x, base - height), (x + width, base), _colour(rng, dull=0.45).tolist(), -1)
            x += width + 1
    return picture


def _street(rng: np.random.Generator, rows: int, columns: int) -> Field:
    y = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    sky = np.array([0.35, 0.5, 0.75], np.float32) * rng.uniform(0.6, 1.2) * (1 - y) + np.float32(0.55) * y
    picture = np.ascontiguousarray(np.broadcast_to(sky, (rows, columns, 3)), np.float32)
    for _ in range(int(rng.integers(3, 9))):
        x, top = int(rng.integers(-20, columns)), int(rng.integers(0, rows * 2 // 3))
        width, wall = int(rng.integers(20, 80)), _colour(rng, dull=0.8, dark=0.3)
        cv2.rectangle(picture, (x, top), (x + width, rows), wall.tolist(), -1)
        for row in range(top + 6, rows, 14):
            for column in range(x + 5, x + width - 5, 11):
                cv2.rectangle(picture, (column, row), (column + 5, row + 7), (wall * 0.4).tolist(), -1)
    return picture


def _trees(rng: np.random.Generator, rows: int, columns: int) -> Field:
    leaves = smooth_noise(rng, (rows, columns), (14, 14), (rows, columns)) + 0.7 * smooth_noise(
        rng, (rows, columns), (5, 5), (rows, columns)
    )
    dark, light = (np.array(c, np.float32) for c in ((0.02, 0.05, 0.015), (0.22, 0.34, 0.1)))
    picture = dark + (light - dark) * smooth_step(leaves, -1.2, 1.8)[..., None]
    gaps = smooth_step(
        smooth_noise(rng, (rows, columns), (30, 30), (rows, columns))
        - np.linspace(0, 2.5, rows, dtype=np.float32)[:, None],
        0.3,
        1,
    )
    return np.asarray(picture + gaps[..., None] * (np.array([0.7, 0.8, 0.9], np.float32) - picture), np.float32)


def _lights(rng: np.random.Generator, rows: int, columns: int) -> Field:
    picture = _gradient(rng, rows, columns) * np.float32(0.25)
    for _ in range(int(rng.integers(8, 30))):
        disc = np.zeros((1, 1, 3), np.float32) + _colour(rng, dull=0.4)
        x, y, radius = int(rng.integers(columns)), int(rng.integers(rows)), int(rng.integers(4, 14))
        left, top = max(0, x - radius), max(0, y - radius)
        window = picture[top : y + radius + 1, left : x + radius + 1]
        yy, xx = np.mgrid[top : top + window.shape[0], left : left + window.shape[1]]
        window += 0.6 * disc * ((xx - x) ** 2 + (yy - y) ** 2 <= radius**2)[..., None]
    return picture
