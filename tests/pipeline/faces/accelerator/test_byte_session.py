"""Batches are filled up to few different sizes, and no picture's result depends on the others."""

from pipeline.faces.accelerator.byte_session import padded_length


def test_a_batch_is_filled_up_to_a_power_of_two() -> None:
    assert [padded_length(n, 32) for n in (1, 2, 3, 4, 5, 7, 17, 32)] == [1, 2, 4, 4, 8, 8, 32, 32]
    assert [padded_length(n, 24) for n in (16, 17, 24)] == [16, 24, 24]
    assert len({padded_length(n, 256) for n in range(1, 257)}) == 9
