"""Moving averages of batches: their values by hand, and what does not change them."""

import pytest
import torch

from pipeline.errors import UserError
from trainer.losses.averages import Averages


def test_values_by_hand() -> None:
    averages = Averages((20.0, 100.0), 0.25)
    averages.add(torch.tensor([12.0, 4.0]))
    assert averages.values.tolist() == [18.0, 76.0]
    averages.add(torch.tensor([10.0, torch.nan]))
    assert averages.values.tolist() == [16.0, 76.0], "what is not finite changes nothing"
    averages.add(torch.tensor([torch.inf, 76.0]))
    assert averages.values.tolist() == [16.0, 76.0]


def test_a_checkpoint_of_another_loss_is_refused() -> None:
    saved = Averages((20.0, 100.0), 0.25)
    saved.add(torch.tensor([12.0, 4.0]))
    again = Averages((20.0, 100.0), 0.25)
    again.load_whole_state(saved.whole_state())
    assert again.values.tolist() == saved.values.tolist()
    for state in ({}, Averages((0.0,), 0.25).whole_state()):
        with pytest.raises(UserError, match="has not the 2 averages of this loss"):
            again.load_whole_state(state)
