"""MAT-files as scipy writes them, held against what scipy reads, and damaged ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from pipeline.sources.test_sets.matlab import Array, load

MOST = 1 << 20


def plain(found: Any) -> Any:
    """What scipy read, in our terms."""
    flat = found.ravel(order="F")
    if found.dtype.names:
        return Array(found.shape, [tuple(map(plain, record)) for record in flat.tolist()])
    if found.dtype == object:
        return Array(found.shape, [plain(value) for value in flat.tolist()])
    if found.dtype.kind == "U":
        return Array((1, len(found.item())), [found.item()])
    return Array(found.shape, flat.tolist())


@pytest.mark.parametrize("packed", [False, True])
def test_what_it_reads_is_what_scipy_reads(tmp_path: Path, packed: bool) -> None:
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
        assert load(tmp_path / "a.mat", name, max_bytes=MOST) == plain(expected[name])
    assert load(tmp_path / "a.mat", "other", max_bytes=MOST) is None


def test_a_file_cut_anywhere_is_refused_or_read(tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"x": np.arange(3.0)}, do_compression=False)
    whole = file.read_bytes()
    expected = load(file, "x", max_bytes=MOST)
    for n in range(128, len(whole)):
        file.write_bytes(whole[:n])
        try:
            found = load(file, "x", max_bytes=MOST)
        except ValueError:
            continue
        assert (found is None) if n == 128 else (found == expected)


def test_a_file_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"x": np.zeros(MOST)}, do_compression=True)
    assert file.stat().st_size < MOST / 50
    with pytest.raises(ValueError, match="more than 1 MiB"):
        load(file, "x", max_bytes=MOST)
    savemat(file, {"x": np.random.default_rng(0).random(MOST)})
    with pytest.raises(ValueError, match="more than 1 MiB"):
        load(file, "x", max_bytes=MOST)
    assert load(file, "x", max_bytes=16 * MOST)


def test_truth_values_are_numbers_and_complex_ones_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"x": np.eye(2) > 0})
    assert load(file, "x", max_bytes=MOST) == Array((2, 2), [1, 0, 0, 1])
    savemat(file, {"x": np.array([[1j]])})
    with pytest.raises(ValueError, match="complex"):
        load(file, "x", max_bytes=MOST)
