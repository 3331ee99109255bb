"""Compares pairs of faces at half size: most different pictures are told apart there, at a tenth of the cost."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.sketch import CHUNK, SIDE, SIDE_OF_TONES, Sketches, Tones, half_size, invented_pixels, tone_ranks
from pipeline.noise.pictures.local_contrast import AROUND, BLUR, MARGIN, blurred, contrast_correlation, eroded, frame
from pipeline.noise.pictures.registration import identity_maps, register, warped
from pipeline.tables.columns import Mask

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]  # [n, side, side]
Indices = NDArray[np.signedinteger[Any]]
PAIRS = 128  # compared at a time
ROUNDS = 3  # of the registration
# correlation of the registered tones; 1,920 duplicates reach 0.909
MIN_QUICK = 0.9
# the same before the first round, where most pairs are given up, and before the next two: of these duplicates the
# lowest begins with 0.64, and none is given up that would be found otherwise
MIN_IN_PLACE = 0.55
MIN_ROUNDS = (MIN_IN_PLACE, 0.7, 0.84)
MIN_QUICK_CONTRAST = 0.87  # correlation of local contrasts; these duplicates reach 0.89


class ComparedTones(NamedTuple):
    """What tells candidates of faces apart: their tones, and how many pixels are compared, those of the photo."""

    tones: Tones  # [n, SIDE_OF_TONES^2]
    area: Indices  # [n]; SIDE_OF_TONES^2 where no pixel was invented


class HalfSizePictures(NamedTuple):
    """Faces at half size: blurred tones and valid pixels [m, side, side]."""

    tones: Floats
    valid: Mask


def compared_tones(sketches: Sketches) -> ComparedTones:
    """The tones of sketches [n, SIDE^2] at half size, as those of sketch_tones(), and how much of each is compared."""
    tones, area = np.empty((len(sketches), SIDE_OF_TONES**2), np.uint8), np.empty(len(sketches), np.int64)
    for start in range(0, len(sketches), CHUNK):
        halves = half_size(sketches[start : start + CHUNK].reshape(-1, SIDE, SIDE))
        present = ~invented_pixels(halves)
        tones[start : start + CHUNK] = tone_ranks(halves, present).reshape(len(halves), -1)
        area[start : start + CHUNK] = eroded(present).sum((1, 2))
    return ComparedTones(tones, area)


def half_size_pictures(sketches: Sketches, compared: ComparedTones) -> HalfSizePictures:
    """What faces are registered by at half size; compared: the compared_tones() of their sketches."""
    tones = compared.tones.reshape(-1, SIDE_OF_TONES, SIDE_OF_TONES)
    valid = np.ones(tones.shape, bool)
    partly = np.flatnonzero(compared.area < SIDE_OF_TONES**2)
    valid[partly] = eroded(~invented_pixels(half_size(sketches[partly].reshape(-1, SIDE, SIDE))))
    return HalfSizePictures(blurred(tones, BLUR), valid)


def alike_at_half_size(faces: HalfSizePictures, i: Indices, j: Indices, side: int) -> tuple[Indices, Floats]:
    """Which pairs of faces i and j [n] are alike when registered, and their maps [m, 2, 3] at full size.

    side: -1 where faces j are mirrored, else 1.
    """
    likely = np.flatnonzero(_correlations_in_place(faces, i, j, side) >= MIN_IN_PLACE)
    passed, maps = [likely[:0]], [identity_maps(0)]
    for start in range(0, len(likely), PAIRS):
        pairs = likely[start : start + PAIRS]
        alike, found = _registered(faces, i[pairs], j[pairs], side)
        passed.append(pairs[alike])
        maps.append(found)
    return np.concatenate(passed), np.concatenate(maps)


def _correlations_in_place(faces: HalfSizePictures, i: Indices, j: Indices, side: int) -> Floats:
    """The correlation [n] of faces i and j [n] without registration; 1 where pixels of either are not valid."""
    whole = np.asarray(faces.valid.all((1, 2)))
    inner = faces.tones[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    inner = inner - inner.mean((1, 2), keepdims=True)
    inner /= np.maximum(np.linalg.norm(inner, axis=(1, 2), keepdims=True), 1e-6)
    turned = np.ascontiguousarray(inner[:, :, ::side])
    r = np.empty(len(i), np.float32)
    for start in range(0, len(i), PAIRS):
        block = slice(start, start + PAIRS)
        r[block] = np.einsum("nyx,nyx->n", inner[i[block]], turned[j[block]])
    return np.where(whole[i] & whole[j], r, np.float32(1))


def _registered(faces: HalfSizePictures, i: Indices, j: Indices, side: int) -> tuple[Indices, Floats]:
    pictures = faces.tones[i], np.ascontiguousarray(faces.tones[j][:, :, ::side])
    valid = faces.valid[i] & frame(faces.valid.shape[1]), faces.valid[j][:, :, ::side]
    r, maps = register(pictures, valid, identity_maps(len(i)), rounds=ROUNDS, least=MIN_ROUNDS)
    alike = np.flatnonzero(r >= MIN_QUICK)
    if len(alike):
        tones, seen = warped(pictures[1][alike], valid[1][alike], maps[alike])
        shared = valid[0][alike] & seen
        alike = alike[contrast_correlation(pictures[0][alike], tones, shared, AROUND / 2) >= MIN_QUICK_CONTRAST]
    maps = maps[alike]
    maps[:, :, 2] *= 2
    return alike, maps
