"""A report's numbers are the refinement's, its faces stay within their budget, what came from outside stays text."""

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from pipeline.noise.calibration import read_calibration
from pipeline.refinement import Refinement
from pipeline.report import charts, page, scores
from pipeline.report.counts import Share, by_group, by_size, count
from pipeline.report.gallery import Entry, Gallery, Side, gather
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.drawn_vectors import person, photos_of
from tests.builders.tables.repeated_refinement import repeat


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    return refined(str(tmp_path_factory.mktemp("report") / "root"))[0]


def test_what_went_is_the_account(done: Refinement) -> None:
    counted = count(done)
    removed: Counter[str] = Counter()
    for (_, fate, reason), n in counted.flow.items():
        if fate == "removed":
            removed[reason] += n
    assert dict(removed) == done.account.removed
    assert sum(counted.flow.values()) == sum(f.came for f in counted.fates) == done.account.ingested
    assert sum(n for (_, fate, _), n in counted.flow.items() if fate == "moved") == done.account.moved
    labels = done.labels.read().to_pylist()
    for f in counted.fates:
        mine = [r for r in labels if (r["claimed"] or "") == f.identity]
        assert f.came == len(mine)
        assert f.stayed == sum(r["identity"] == f.identity for r in mine)
        assert f.gone == sum(r["identity"] is None for r in mine)
        assert f.left == len(mine) - f.stayed - f.gone
        assert f.joined == sum(r["identity"] == f.identity and r["claimed"] != f.identity for r in labels)
    assert [f.changed for f in counted.fates] == sorted((f.changed for f in counted.fates), reverse=True)


def test_every_named_photo_is_of_one_size_and_one_group(done: Refinement) -> None:
    fates = count(done).fates
    named = sum(f.came for f in fates if f.identity)
    first = next(f for f in fates if f.came)
    grouped = by_group(fates, {first.identity: "ours"})
    assert sum(s.photos for s in by_size(fates)) == sum(s.photos for s in grouped) == named
    assert Share("ours", first.came, first.gone, first.left, 1) in grouped


def test_names_told_apart_as_a_slow_reference_has_it() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([photos_of(person(rng), 3, rng) for _ in range(20)])
    names = np.repeat(np.arange(20), 3)
    names[7], names[31] = 15, 2  # two wrong names
    found = scores.measure(x, names)
    cosine = x @ x.T
    ranks = []
    for i in range(60):
        best = max(cosine[i, j] for j in range(60) if j != i and names[j] == names[i])
        ranks.append(sum(cosine[i, j] >= best for j in range(60) if names[j] != names[i]))
    np.testing.assert_allclose(found.cmc, [sum(r <= k for r in ranks) / 60 for k in range(20)])
    pairs = [(cosine[i, j], names[i] == names[j]) for i in range(60) for j in range(i)]
    assert (found.same.sum(), found.other.sum()) == (sum(s for _, s in pairs), sum(not s for _, s in pairs))
    degrees = [np.degrees(np.arccos(c)) for c, s in pairs if s]
    assert found.same[:30].sum() == sum(d < 60 for d in degrees)
    far, tar, _ = roc_curve([s for _, s in pairs], [c for c, _ in pairs], drop_intermediate=False)
    for f, t in zip(found.far, found.tar, strict=True):
        assert t == pytest.approx(tar[far <= f + 1e-9].max())


def test_every_face_of_the_histogram_is_counted_once(done: Refinement) -> None:
    calibration = read_calibration(done.labels.root, done.calibration.shards[0])
    drawn = scores.to_person(done, calibration)
    core = done.clusters.read(["core"])["core"].to_numpy(zero_copy_only=False)
    assert sum(int(c.sum()) for c in drawn.counts.values()) == np.isfinite(core.astype(float)).sum()
    low, high = scores.band(done, calibration) or (0.0, 0.0)
    assert low < high < calibration.genuine_mean + 3 * calibration.genuine_deviation


def test_of_each_kind_no_more_is_shown_than_asked_and_every_finding_is_counted(done: Refinement) -> None:
    calibration = read_calibration(done.labels.root, done.calibration.shards[0])
    found = gather(done, calibration, each=3, most_bytes=0)
    kinds = Counter(done.judged_findings.read(["kind"])["kind"].to_pylist())
    assert Counter(e.kind for e in found.entries) == {k: min(3, n) for k, n in kinds.items()}
    assert sum(found.counts.values()) == kinds.total()
    assert found.pictures == {}
    by_face = {r["face_id"]: r for r in done.clusters.read().to_pylist()}
    assert {"overlap", "misplaced", "split"} <= {e.kind for e in found.entries}
    for entry in found.entries:
        assert all(s.faces for s in entry.sides), entry
        if entry.kind == "outlier":
            suspect, own = entry.sides
            assert suspect.faces[0] not in own.faces
            assert {by_face[f]["cluster"] for f in own.faces} <= {0}
            assert by_face[suspect.faces[0]]["identity"] in entry.names


def test_a_larger_data_set_shows_no_more(done: Refinement, tmp_path: Path) -> None:
    calibration = read_calibration(done.labels.root, done.calibration.shards[0])
    large = repeat(done, str(tmp_path), 4)
    assert sum(count(large).flow.values()) == 4 * done.account.ingested
    found = gather(large, calibration, each=3, most_bytes=0)
    kinds = Counter(done.judged_findings.read(["kind"])["kind"].to_pylist())
    assert Counter(e.kind for e in found.entries) == {k: min(3, 4 * n) for k, n in kinds.items()}


def test_names_and_words_from_outside_stay_text() -> None:
    evil = '"><script>alert(1)</script>'
    entry = Entry("outlier", "yes", "the machine", (evil,), evil, 0.5, (Side(evil, ("f",)),))
    found = Gallery([entry], {("outlier", "yes"): 1}, [entry], 0.5, {"f": "data:image/jpeg;base64,AA=="})
    fates = count_of(evil)
    text = page.page(evil, evil, [page.Section("a", evil, page.gallery(found) + page.lost(found) + page.names(fates))])
    assert "<script>alert" not in text
    assert text.count("<script") == 2  # the page's own, and the names as data


def count_of(name: str) -> list:
    from pipeline.report.counts import Fate

    return [Fate(name, 3, 1, 1, 0, {"outlier": 1})]


def test_a_chart_is_a_drawing_with_words_and_names_of_its_own() -> None:
    rows = [Share("$1_a$ & <b>", 10, 4, 3, 2)]
    both = [charts.svg(charts.shares(name, "Noise & more", rows, "group")) for name in ("one", "two")]
    ids = [set(re.findall(r'id="([^"]+)"', text)) for text in both]
    assert ids[0].isdisjoint(ids[1])
    for text in both:
        drawing = ET.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
        assert "40.0% removed" in drawing.attrib["aria-label"]
        assert drawing.attrib["role"] == "img"
        assert charts.GREEN in text  # hatched bars keep their colour
        named = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
        assert named <= ids[both.index(text)]
