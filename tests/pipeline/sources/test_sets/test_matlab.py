"""MAT-files written by scipy: compared with scipy's reader, and damaged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from pipeline.sources.test_sets.matlab import Array, load

MAX_BYTES = 1 << 20


def as_array(array: Any) -> Any:
    """An array of scipy's reader as an Array."""
    flat = array.ravel(order="F")
    if array.dtype.names:
        return Array(array.shape, [tuple(map(as_array, record)) for record in flat.tolist()])
    if array.dtype == object:
        return Array(array.shape, [as_array(value) for value in flat.tolist()])
    if array.dtype.kind == "U":
        return Array((1, len(array.item())), [array.item()])
    return Array(array.shape, flat.tolist())


@pytest.mark.parametrize("packed", [False, True])
def test_the_reader_agrees_with_scipys(tmp_path: Path, packed: bool) -> None:
    cells = np.empty((2, 3), object)
    for i, value in enumerate(("a", np.arange(6.0).reshape(2, 3), np.uint16([[7, 8]]), "tail²", np.zeros((0, 0)), -1)):
        cells[i % 2, i // 2] = value
    record = np.empty((1, 2), [("name", object), ("inner", object)])
    for i in (0, 1):
        record[0, i] = (f"number {i}", cells)
    values = {"cells": cells, "records": record, "x": np.int8([[1, -2], [3, 4]])}
    savemat(tmp_path / "a.mat", values, do_compression=packed)
    expected = loadmat(tmp_path / "a.mat")
    for name in values:
        assert load(tmp_path / "a.mat", name, max_bytes=MAX_BYTES) == as_array(expected[name])
    assert load(tmp_path / "a.mat", "other", max_bytes=MAX_BYTES) is None


def test_a_file_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"x": np.arange(3.0)}, do_compression=False)
    whole = file.read_bytes()
    expected = load(file, "x", max_bytes=MAX_BYTES)
    for n in range(128, len(whole)):
        file.write_bytes(whole[:n])
        try:
            read = load(file, "x", max_bytes=MAX_BYTES)
        except ValueError:
            continue
        assert (read is None) if n == 128 else (read == expected)


def test_a_file_that_unpacks_to_too_many_bytes_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"x": np.zeros(MAX_BYTES)}, do_compression=True)
    assert file.stat().st_size < MAX_BYTES / 50
    with pytest.raises(ValueError, match="more than 1 MiB"):
        load(file, "x", max_bytes=MAX_BYTES)
    savemat(file, {"x": np.random.default_rng(0).random(MAX_BYTES)})
    with pytest.raises(ValueError, match="more than 1 MiB"):
        load(file, "x", max_bytes=MAX_BYTES)
    assert load(file, "x", max_bytes=16 * MAX_BYTES)


def test_truth_values_are_numbers_and_complex_numbers_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"x": np.eye(2) > 0})
    assert load(file, "x", max_bytes=MAX_BYTES) == Array((2, 2), [1, 0, 0, 1])
    savemat(file, {"x": np.array([[1j]])})
    with pytest.raises(ValueError, match="complex"):
        load(file, "x", max_bytes=MAX_BYTES)
