"""Drawn features of a few people, as vectors for a linear network: training data for the tests of losses."""

import torch
from torch import Tensor

CLASSES, PIXELS, DIM = 11, 6, 4  # an odd number of classes: two ranks own 6 and 5


def batch(step: int, size: int = 16, people: int = CLASSES) -> tuple[Tensor, Tensor]:
    """Features [size, PIXELS] in float64 and labels [size] of the first `people` classes; another batch each step."""
    generator = torch.Generator().manual_seed(step)
    label = torch.randint(people, (size,), generator=generator)
    person = torch.randn(CLASSES, PIXELS, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    return person[label] + 0.3 * torch.randn(size, PIXELS, generator=generator, dtype=torch.float64), label
