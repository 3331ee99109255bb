"""The same picture twice: equal bytes, or two aligned faces that are one signal.

Copies come cropped, rescaled and recompressed; aligned by their landmarks they show the same face again, a little
shifted. So two small pictures of the aligned faces are registered on each other (ECC, Evangelidis and Psarakis, PAMI
2008) and correlated: copies reach 0.99, another shot from the same second hardly 0.98.
"""

from functools import cache
from itertools import combinations
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Sketches = NDArray[np.uint8]  # [n, SIDE * SIDE]
SIDE = 40  # pixels; the smallest at which copies and lookalikes part (32 overlaps a little, 56 adds nothing)
MARGIN = 3  # pixels left out around: a copy that was cropped has nothing there
BLUR = 0.8  # pixels; what recompression and rescaling change lies above
HASHED = 32  # pixels; of the picture that a perceptual hash is of
SHARED = 64  # hashes that may have a part in common and still say something
BITS = 10  # in which hashes of one picture differ: 80% of 225 copies that were cropped or shrunk, 3% of chance meetings
BLOCK = 256  # sketches at a time: 2 MB, and as fast as any
COARSE = 8  # pixels; the first look, without registration
ROUNDS, QUICK_ROUNDS = 20, 5  # of registration, at full and at half size
MAYBE = 0.97  # correlation at half size; 490 copies reach 0.992, of a person's other likely pairs 1 in 500
MIN_COARSE = 0.75  # blocky correlation; 99.6% of 556 copies tried (cropped to 70%, shrunk to 30%, JPEG 40) reach it
SAME_PICTURE = 0.987  # the same copies reach 0.993, pairs of other shots, the 1,500 likest of 683 people, 0.979


def sketch(face: Image) -> bytes:
    """A small grey version of an aligned face [h, w, 3]: SIDE x SIDE bytes."""
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8).tobytes()


def sketch_hashes(sketches: Sketches) -> NDArray[np.uint64]:
    """The perceptual hash [n] of each sketch [n, SIDE * SIDE]: of the face, so it survives a crop of the photo.

    64 bits, the signs of the 64 lowest frequencies of a 32x32 version against their median (Zauner 2010, "pHash").
    Shrinking and the cosine transform are linear, so both are one matrix, and all sketches one product.
    """
    found = np.empty(len(sketches), np.uint64)
    for at in range(0, len(sketches), BLOCK):
        low = np.round(sketches[at : at + BLOCK].astype(np.float32) @ _frequencies(), 2)
        bits = low > np.median(low, axis=1, keepdims=True)
        found[at : at + BLOCK] = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return found


@cache
def _frequencies() -> NDArray[np.float32]:
    """What a flat sketch is multiplied by to give its 64 lowest frequencies [SIDE * SIDE, 64], the mean left out."""
    shrink = cv2.resize(np.eye(SIDE, dtype=np.float32), (SIDE, HASHED), interpolation=cv2.INTER_AREA)
    lowest = cv2.dct(np.eye(HASHED, dtype=np.float32), flags=cv2.DCT_ROWS).T[:9] @ shrink
    return np.ascontiguousarray(np.kron(lowest, lowest)[1:65].T, np.float32)


def same_picture(a: Sketches, b: Sketches) -> float:
    """The correlation -1..1 of two sketches [SIDE * SIDE] after the affine registration that makes it largest.

    Registered at half the size first, where most other pictures are told apart at a quarter of the cost.
    """
    one, two = (s.reshape(SIDE, SIDE).astype(np.float32) for s in (a, b))
    half = [cv2.resize(s, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA) for s in (one, two)]
    quick = _registered(*half, margin=MARGIN // 2 + 1, rounds=QUICK_ROUNDS)
    return quick if quick < MAYBE else _registered(one, two, margin=MARGIN, rounds=ROUNDS)


def _registered(one: NDArray[Any], two: NDArray[Any], *, margin: int, rounds: int) -> float:
    one, two = (cv2.GaussianBlur(s, (0, 0), BLUR) for s in (one, two))
    inner = np.ascontiguousarray(one[margin:-margin, margin:-margin])
    start = np.array([[1, 0, margin], [0, 1, margin]], np.float32)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, rounds, 1e-4)
    try:
        value, _ = cv2.findTransformECC(inner, two, start, cv2.MOTION_AFFINE, until, None, 1)
    except cv2.error:  # it found no registration, as with two unlike pictures
        return -1.0
    return round(float(value), 4)


def coarse(sketches: Sketches) -> NDArray[np.float32]:
    """Unit vectors [n, COARSE^2] whose inner products are the correlations of unregistered, blocky sketches."""
    found = np.empty((len(sketches), COARSE**2), np.float32)
    for at in range(0, len(sketches), BLOCK):
        blocks = (sketches[at : at + BLOCK].astype(np.float32) @ _blocks()).astype(np.float64)  # sums, exact so far
        blocks -= blocks.mean(1, keepdims=True)
        found[at : at + BLOCK] = blocks / np.maximum(np.linalg.norm(blocks, axis=1, keepdims=True), 1e-9)
    return found


@cache
def _blocks() -> NDArray[np.float32]:
    """What a flat sketch is multiplied by to give the sums of its COARSE x COARSE blocks."""
    if SIDE % COARSE:
        raise ValueError(f"{SIDE} pixels do not divide into {COARSE} blocks")
    one = np.repeat(np.eye(COARSE, dtype=np.float32), SIDE // COARSE, axis=0)
    return np.ascontiguousarray(np.kron(one, one), np.float32)


def near_hashes(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs i < j of 64-bit hashes that have two of their four 16-bit quarters in common, and differ in no more than
    BITS of the others; sorted, each once.

    Two hashes that differ in few bits nearly always do, two others hardly ever; a value that more than SHARED
    hashes share (a black picture) says nothing and is passed over.
    """
    quarters = [((hashes >> np.uint64(16 * q)) & np.uint64(0xFFFF)).astype(np.uint16) for q in range(4)]
    sorted_by = [np.argsort(quarter, kind="stable") for quarter in quarters]  # numbers of 16 bits by counting: fast
    found: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    for p, q in combinations(range(4), 2):
        order = sorted_by[q]
        order = order[np.argsort(quarters[p][order], kind="stable")]
        new = np.logical_or(*(np.diff(quarters[n][order]) != 0 for n in (p, q)))
        start = np.flatnonzero(np.append(True, new)[: len(order)])
        size = np.diff(np.append(start, len(order)))
        for n in range(2, SHARED + 1):
            members = order[start[size == n][:, None] + np.arange(n)]
            pairs = (members[:, [a, b]] for a, b in combinations(range(n), 2)) if len(members) else ()
            found += [p[_near(hashes, p)] for p in pairs]
    every = np.unique(np.concatenate(found), axis=0)
    return every[:, 0], every[:, 1]


def _near(hashes: NDArray[np.uint64], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs [n, 2] of hashes differ in at most BITS bits."""
    return np.asarray(np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]) <= BITS)
