"""Every step of a refinement is measured beside the bare models; no rate is asserted."""

from pathlib import Path

import pytest

from flows.benchmark import refine
from flows.benchmark.speed.varied_photos import write_varied_photos
from pipeline.errors import UserError
from tests.builders.small_world import World

pytestmark = [pytest.mark.material, pytest.mark.slow]


def test_every_step_has_a_rate_beside_the_limit_of_the_bare_models(few: World) -> None:
    models = {k: few.models[k] for k in ("detector", "embedder")}
    rates = refine.refine("image-folder", str(few.photos), **models, sample=12)
    (measured,) = rates.refinements
    assert measured.photos == len(few.truth)
    steps = {"session detect", "session embed 1", "decode", "detect", "align", "embed 1"}
    assert {"bare detect", "bare embed 1", *steps} == set(rates.steps)
    assert min(*rates.steps.values(), measured.seconds) > 0
    assert 0 < measured.photos_gb <= measured.peak_gb
    bare = 1 / rates.steps["bare detect"] + 1 / rates.steps["bare embed 1"]
    assert measured.bare_limit == pytest.approx(1 / bare)
    session = 1 / rates.steps["session detect"] + 1 / rates.steps["session embed 1"]
    assert measured.session_limit == pytest.approx(1 / session)
    for limit in (measured.bare_limit, measured.session_limit):
        assert f"{measured.photos / measured.seconds / limit:.0%} of the {limit:.1f}/s" in rates.lines()[-1]


def test_any_number_of_photos_is_refined_on_any_number_of_workers(few: World) -> None:
    models = {k: few.models[k] for k in ("detector", "embedder")}
    rates = refine.refine("image-folder", str(few.photos), **models, sample=4, total_photos=[16], processes=[2])
    assert [(w.photos, w.workers) for w in rates.refinements] == [(16, 2)]


def test_varied_photos_are_new_pictures_under_new_identities(few: World, tmp_path: Path) -> None:
    count = len(few.truth) + 40
    out = write_varied_photos("image-folder", str(few.photos), tmp_path / "more", count)
    files = sorted(out.rglob("*.jpg"))
    again = write_varied_photos("image-folder", str(few.photos), tmp_path / "again", count)
    assert len({f.read_bytes() for f in files}) >= count - 5  # the world has copies of its own
    assert [f.read_bytes() for f in files] == [f.read_bytes() for f in sorted(again.rglob("*.jpg"))]
    assert {f.parent.name[-2:] for f in files} == {"-0", "-1"}
    with pytest.raises(UserError, match=r"no photo in .* can be read"):
        write_varied_photos("image-folder", str(_broken(tmp_path)), tmp_path / "none", 5)


def _broken(folder: Path) -> Path:
    (folder / "broken/name").mkdir(parents=True)
    (folder / "broken/name/a.jpg").write_bytes(b"no picture")
    return folder / "broken"
