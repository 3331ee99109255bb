"""Perceptual hashes of sketches, which duplicates nearly share."""

import cv2
import numpy as np

from pipeline.faces.sketch import HASH_SIDE, SIDE, sketch_hashes
from tests.builders.photos.duplicates import duplicate_of, sketch_of
from tests.builders.tables.drawn_vectors import picture


def perceptual_hash(image):
    """The perceptual hash of a picture [h, w, 3], computed step by step."""
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (HASH_SIDE, HASH_SIDE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:9, :9].ravel()[1:65]
    return int(np.packbits(low > np.median(low)).view(">u8")[0])


def test_hashes_of_a_duplicate_differ_in_few_bits():
    for seed in range(8):
        face, other = picture(seed), picture(seed + 50)
        differ = [bin(perceptual_hash(face) ^ perceptual_hash(p)).count("1") for p in (duplicate_of(face), other)]
        assert differ[0] <= 6 < 16 <= differ[1]
        face_hash, duplicate_hash = sketch_hashes(np.stack([sketch_of(face), sketch_of(duplicate_of(face))])).tolist()
        assert bin(face_hash ^ duplicate_hash).count("1") <= 8


def test_the_hash_of_a_sketch_is_the_perceptual_hash_of_it():
    faces = [sketch_of(picture(seed)) for seed in range(20)]
    different_bits = [
        bin(h ^ perceptual_hash(cv2.cvtColor(f.reshape(SIDE, SIDE), cv2.COLOR_GRAY2BGR))).count("1")
        for f, h in zip(faces, sketch_hashes(np.stack(faces)).tolist(), strict=True)
    ]
    assert max(different_bits) <= 4, "only rounding of the shrunken picture differs"
    assert np.mean(different_bits) < 1
