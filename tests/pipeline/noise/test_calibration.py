"""A calibration is the same after it was written to a table and read again."""

import numpy as np

from pipeline.noise.calibration import from_table, to_table
from pipeline.noise.scores.calibrate import calibrate
from tests.builders.tables.drawn_vectors import noisy_identities


def test_to_table_and_back():
    x, identity = noisy_identities(np.random.default_rng(6))
    written = calibrate([x, x[:, ::-1]], identity=identity)
    read = from_table(to_table(written))
    assert read[1:] == written[1:]
    for actual, expected in zip(read.impostors, written.impostors, strict=True):
        assert np.array_equal(actual.mean, expected.mean)
        assert np.array_equal(actual.covariance, expected.covariance)
