"""Files in which one bit is another than was written, as a bad disk leaves them."""

from pathlib import Path

import numpy as np


def flip_bit(file: Path, seed: int) -> None:
    """Flip one bit of a file, at a place that the seed decides."""
    data = bytearray(file.read_bytes())
    place = int(np.random.default_rng(seed).integers(8 * len(data)))
    data[place // 8] ^= 1 << place % 8
    file.chmod(0o644)
    file.write_bytes(data)
