"""The benchmark of thresholds by group shows the gap between groups before and after."""

import pytest

from flows.benchmark.cases import groups as measured
from flows.benchmark.cases.groups import groups
from pipeline.errors import UserError
from pipeline.sample.cases.grouped_population import DrawnGroup


@pytest.mark.slow
def test_the_gap_between_the_groups_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "OTHERS", (DrawnGroup("first", 120), DrawnGroup("second", 60)))
    result = groups(populations=2, close_identities=20)
    rows = {(row["group"], row["thresholds of"]): row["noise kept"] for row in result.rows()}
    assert len(rows) == 6
    before, after = (float(rows["gap", by].split("%")[0]) for by in ("whole population", "by group"))
    assert before > 5
    assert after < before / 2
    assert all("[" in value for value in rows.values())
    assert result.weight == pytest.approx(190 / 390, abs=1e-3)


def test_a_cosine_that_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match=r"--closer 1 .* give 0 to below 1"):
        groups(populations=2, closer=1.0)
