"""The palettes of skin and hair, and a person's colours, in linear light."""

import numpy as np

from pipeline.sample.drawing.fields import Field
from pipeline.sample.people import Person

GAMMA = 2.2  # of the palettes, which hold colours as a photo stores them
SKIN = (
    np.array(
        [[236, 200, 178], [228, 182, 152], [210, 158, 124], [174, 121, 88], [128, 84, 60], [88, 57, 43]], np.float32
    )
    / 255
)  # from fair to dark
# from black to blond, red, grey, white
HAIR = (
    np.array(
        [
            [30, 24, 22],
            [48, 34, 26],
            [82, 55, 36],
            [112, 76, 46],
            [166, 126, 76],
            [200, 168, 112],
            [122, 58, 32],
            [122, 118, 114],
            [196, 192, 188],
        ],
        np.float32,
    )
    / 255
)


def skin_colour(person: Person) -> Field:
    """The linear RGB [3] of a person's skin."""
    colouring, place = person.colouring, np.clip(person.colouring.melanin, 0, 0.999) * (len(SKIN) - 1)
    i, rest = int(place), place % 1
    srgb = (SKIN[i] * (1 - rest) + SKIN[i + 1] * rest) * (1 + colouring.redness, 1, 1 - colouring.yellowness)
    return np.asarray(np.clip(srgb, 0, 1) ** GAMMA, np.float32)


def hair_colour(person: Person) -> Field:
    """The linear RGB [3] of a person's hair."""
    return np.asarray(HAIR[person.colouring.hair] ** GAMMA, np.float32)
