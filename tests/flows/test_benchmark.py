"""The benchmark prints every step beside the bare models; nothing is asserted about how fast they are."""

import pytest

from flows import benchmark
from tests.flows.conftest import World

pytestmark = [pytest.mark.material, pytest.mark.slow]


def test_every_step_has_a_rate_beside_the_limit_of_the_bare_models(world: World) -> None:
    given = {k: world.models[k] for k in ("detector", "embedder")}
    found = benchmark.refine("image-folder", str(world.photos), **given, sample=40)
    assert found.photos == len(world.truth)
    assert {"bare detect", "bare embed 1", "decode", "detect", "align", "embed 1"} == set(found.steps)
    assert all(rate > 0 for rate in found.steps.values())
    bare = 1 / found.steps["bare detect"] + 1 / found.steps["bare embed 1"]
    assert found.limit == pytest.approx(1 / bare)
    assert [r["step"] for r in found.rows()][-2:] == ["limit: bare models", "whole refinement"]
    assert f"{found.whole / found.limit:.0%}" in found.lines()[-1]
