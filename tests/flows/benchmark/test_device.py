"""The measurements of a device run on any machine; no rate is asserted."""

import pytest

from flows.benchmark.device import device
from flows.benchmark.speed.measured_process import ProcessMeasurement
from pipeline.errors import UserError


@pytest.mark.slow
def test_every_measurement_has_its_rate_and_the_bare_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    # each has a process of its own elsewhere (see speed/test_measured_process.py), whose start takes seconds
    monkeypatch.setattr(
        "flows.benchmark.device.run_in_own_process", lambda f, *given: ProcessMeasurement(f(*given), 1.0, 1.0)
    )
    rates = device(
        ["sample"],
        detect_photos=2,
        embed_faces=16,
        gallery_size=2000,
        train_classes=[50],
        backbone="sample",
        batch=4,
        turns=2,
        half=True,
    )
    training = "train sample, 50 classes"
    names = [row["measured"] for row in rates.rows()]
    assert names == [
        "detect, detector, in batches",
        "detect, detector, one at a time",
        "embed, sample",
        "embed, sample, half precision",
        "embed, sample, checkpoint",
        "the 5 nearest of 2,000",
        training,
    ]
    for row in rates.rows():
        ours, bare = float(row["a second"].split()[0]), float(row["bare"])
        assert min(ours, bare, float(row["memory GB"])) > 0
        assert float(row["share"].rstrip("%")) == pytest.approx(100 * ours / bare, rel=0.1)
    assert "onnxruntime" in rates.lines()[0]


def test_nothing_to_measure_is_one_line() -> None:
    with pytest.raises(UserError, match="give 2 or more of each"):
        device(train_classes=[1])
