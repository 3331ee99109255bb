"""The measurements of a device run on any machine; no rate is asserted."""

import pytest

from flows.benchmark.device import device
from pipeline.errors import UserError


@pytest.mark.slow
def test_every_measurement_has_its_rate_and_the_bare_rate() -> None:
    rates = device(
        ["sample"],
        embed_faces=16,
        gallery_size=2000,
        train_classes=[50],
        backbone="sample",
        batch=4,
        turns=2,
        half=True,
    )
    names = [row["measured"] for row in rates.rows()]
    assert names == [
        "embed, sample",
        "embed, sample, half precision",
        "the 5 nearest of 2,000",
        "train sample, 50 classes",
    ]
    for row in rates.rows():
        ours, bare = float(row["a second"].split()[0]), float(row["bare"])
        assert min(ours, bare, float(row["memory GB"])) > 0
        assert float(row["share"].rstrip("%")) == pytest.approx(100 * ours / bare, rel=0.1)
    assert "onnxruntime" in rates.lines()[0]


def test_nothing_to_measure_is_one_line() -> None:
    with pytest.raises(UserError, match="give 2 or more of each"):
        device(train_classes=[1])
