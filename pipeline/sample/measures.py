"""The measures of a drawn head, and their distribution among people."""

from typing import NamedTuple


class Shape(NamedTuple):
    """The measures of a head: mm from the point between the eyes, multiples of the average (1), or heights in mm."""

    face_width: float
    forehead: float
    jaw: float
    chin_y: float
    crown_y: float
    eye_x: float
    eye_length: float
    eye_opening: float
    eye_tilt: float
    lid_fold: float
    socket: float
    brow_y: float
    brow_thickness: float
    brow_arch: float
    brow_slope: float
    brow_length: float
    brow_gap: float
    brow_ridge: float
    nose_length: float
    nose_height: float
    nose_bridge: float
    nose_width: float
    nose_tip: float
    nose_ridge: float
    nose_hump: float
    nose_turn: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    cupid_bow: float
    lip_relief: float
    cheekbone: float
    cheek: float
    chin_relief: float
    chin_width: float
    chin_dent: float
    forehead_slope: float
    temple: float
    asymmetry: float
    hairline_y: float
    hair_peak: float


# mean, difference of men from the mean (of women with the opposite sign), standard deviation: of adults in a frontal
# view, rounded. The deviations are a little larger than in life, because drawn faces have less detail to recognise.
MEASURES: dict[str, tuple[float, float, float]] = {
    "face_width": (1, 0, 0.055),
    "forehead": (1, 0, 0.05),
    "jaw": (1, 0.04, 0.09),
    "chin_y": (110, 2, 5.5),
    "crown_y": (-112, 0, 5),
    "eye_x": (31.5, 0, 2.3),
    "eye_length": (14.3, -0.3, 1.3),
    "eye_opening": (5, -0.4, 0.9),
    "eye_tilt": (1.5, 0, 2.6),
    "lid_fold": (0.5, 0, 0.28),
    "socket": (8, 0, 3),
    "brow_y": (-18.5, 1.5, 2.4),
    "brow_thickness": (3.4, 0.8, 1.0),
    "brow_arch": (3, 0, 2.2),
    "brow_slope": (0, 0, 2.5),
    "brow_length": (19, 0, 2.5),
    "brow_gap": (11, 0, 2.5),
    "brow_ridge": (3, 1.5, 2),
    "nose_length": (41.5, 1, 3.4),
    "nose_height": (22, 1, 3.6),
    "nose_bridge": (0.42, 0, 0.16),
    "nose_width": (16.5, 0.7, 2.6),
    "nose_tip": (4, 0, 2.5),
    "nose_ridge": (7, 0, 1.4),
    "nose_hump": (1, 0, 1.6),
    "nose_turn": (0, 0, 2.5),
    "mouth_y": (68.5, 0, 3.2),
    "mouth_width": (25, 0, 2.7),
    "upper_lip": (6, -0.6, 1.8),
    "lower_lip": (8.5, -0.6, 2.2),
    "cupid_bow": (1.1, 0, 0.6),
    "lip_relief": (5, 0, 2),
    "cheekbone": (4, 0, 3),
    "cheek": (1, 0, 3),
    "chin_relief": (6, 0, 3.5),
    "chin_width": (15, 0, 4),
    "chin_dent": (3, 0, 1.6),
    "forehead_slope": (0, 0, 6),
    "temple": (0, 0, 3),
    "asymmetry": (0, 0, 1),
    "hairline_y": (-62, 0, 5),
    "hair_peak": (0, 0, 5),
}
MAX_DEVIATION = 2.2  # in standard deviations; with larger ones the parts of a face overlap
