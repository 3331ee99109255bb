"""A report's numbers are those of the refinement, its faces stay within their budget, text from the data is escaped."""

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pipeline.noise.calibration import read_calibration
from pipeline.refinement import Refinement
from pipeline.report.charts.calibration_curves import calibration_curves
from pipeline.report.charts.drawing import GREEN, svg, write_charts
from pipeline.report.charts.noise_shares import noise_shares
from pipeline.report.charts.sankey import photo_flow
from pipeline.report.counts import FateCounts, IdentityCounts, count_photos, noise_by_group, noise_by_size
from pipeline.report.face_sides import Side
from pipeline.report.finding_cards import doubtful_removals_section, finding_section
from pipeline.report.gallery import Gallery, GalleryEntry, build_gallery
from pipeline.report.html.page import ReportPage, Section, render
from pipeline.report.photo_fates import PhotoFate
from pipeline.report.photo_tables import identity_table
from pipeline.report.photos.shown_photos import ShownPhoto
from pipeline.report.scores import scores_to_person, uncertain_scores
from pipeline.report.separation import measure_separation
from tests.builders.tables.drawn_refinement import refined
from tests.builders.tables.drawn_vectors import TWO, person, photos_of
from tests.builders.tables.repeated_refinement import repeat


@pytest.fixture(scope="module")
def refinement(tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    return refined(str(tmp_path_factory.mktemp("report") / "root"))[0]


def test_the_counts_are_those_of_the_account(refinement: Refinement) -> None:
    counted = count_photos(refinement)
    removed: Counter[str] = Counter()
    for (_, fate, reason), n in counted.flow.items():
        if fate == "removed":
            removed[reason] += n
    assert dict(removed) == refinement.account.removed
    assert sum(counted.flow.values()) == sum(i.claimed for i in counted.identities) == refinement.account.ingested
    assert sum(n for (_, fate, _), n in counted.flow.items() if fate == "relabelled") == refinement.account.moved
    labels = refinement.labels.read().to_pylist()
    for i in counted.identities:
        mine = [r for r in labels if (r["claimed"] or "") == i.identity]
        assert i.claimed == len(mine)
        assert i.kept == sum(r["identity"] == i.identity for r in mine)
        assert i.removed == sum(r["identity"] is None for r in mine)
        assert i.relabelled_to_others == len(mine) - i.kept - i.removed
        assert i.relabelled_from_others == sum(
            r["identity"] == i.identity and r["claimed"] != i.identity for r in labels
        )
    assert [i.changed for i in counted.identities] == sorted((i.changed for i in counted.identities), reverse=True)


def test_every_photo_of_an_identity_is_of_one_size_and_one_group(refinement: Refinement) -> None:
    identities = count_photos(refinement).identities
    photos = sum(i.claimed for i in identities if i.identity)
    first = next(i for i in identities if i.claimed)
    grouped = noise_by_group(identities, {first.identity: "ours"})
    assert sum(s.photos for s in noise_by_size(identities)) == sum(s.photos for s in grouped) == photos
    assert FateCounts("ours", first.claimed, first.removed, first.relabelled_to_others, 1) in grouped


def test_the_separation_of_identities_is_that_of_a_slow_reference() -> None:
    from sklearn.metrics import roc_curve  # a second to load, and every test process reads this file

    rng = np.random.default_rng(1)
    x = np.concatenate([photos_of(person(rng), 3, rng) for _ in range(20)])
    identity = np.repeat(np.arange(20), 3)
    identity[7], identity[31] = 15, 2  # two wrong labels
    separation = measure_separation(x, identity)
    cosine = x @ x.T
    ranks = []
    for i in range(60):
        best = max(cosine[i, j] for j in range(60) if j != i and identity[j] == identity[i])
        ranks.append(sum(cosine[i, j] >= best for j in range(60) if identity[j] != identity[i]))
    np.testing.assert_allclose(separation.cmc, [sum(r <= k for r in ranks) / 60 for k in range(20)])
    pairs = [(cosine[i, j], identity[i] == identity[j]) for i in range(60) for j in range(i)]
    assert (separation.genuine.sum(), separation.impostor.sum()) == (
        sum(s for _, s in pairs),
        sum(not s for _, s in pairs),
    )
    degrees = [np.degrees(np.arccos(c)) for c, s in pairs if s]
    assert separation.genuine[:30].sum() == sum(d < 60 for d in degrees)
    far, tar, _ = roc_curve([s for _, s in pairs], [c for c, _ in pairs], drop_intermediate=False)
    for f, t in zip(separation.far, separation.tar, strict=True):
        assert t == pytest.approx(tar[far <= f + 1e-9].max())


def test_every_face_of_the_histogram_is_counted_once(refinement: Refinement) -> None:
    calibration = read_calibration(refinement.labels.root, refinement.calibration.shards[0])
    histogram = scores_to_person(refinement, calibration)
    core = refinement.clusters.read(["core"])["core"].to_numpy(zero_copy_only=False)
    assert sum(int(c.sum()) for c in histogram.counts.values()) == np.isfinite(core.astype(float)).sum()
    low, high = uncertain_scores(refinement, calibration) or (0.0, 0.0)
    assert low < high < calibration.genuine_mean + 3 * calibration.genuine_deviation


def test_of_each_kind_no_more_is_shown_than_asked_and_every_finding_is_counted(refinement: Refinement) -> None:
    calibration = read_calibration(refinement.labels.root, refinement.calibration.shards[0])
    gallery = build_gallery(refinement, calibration, per_kind=3, max_bytes=0)
    kinds = Counter(refinement.judged_findings.read(["kind"])["kind"].to_pylist())
    assert Counter(e.kind for e in gallery.entries) == {k: min(3, n) for k, n in kinds.items()}
    assert sum(gallery.counts.values()) == kinds.total()
    assert gallery.pictures == {}
    by_face = {r["face_id"]: r for r in refinement.clusters.read().to_pylist()}
    assert {"outlier", "overlap", "misplaced", "split"} <= {e.kind for e in gallery.entries}
    for entry in gallery.entries:
        assert all(s.faces for s in entry.sides), entry
        if entry.kind == "outlier":
            suspect, person_side = entry.sides
            assert suspect.faces[0] not in person_side.faces
            assert {by_face[f]["cluster"] for f in person_side.faces} == {0}
            assert by_face[suspect.faces[0]]["identity"] in entry.names


def test_a_larger_data_set_shows_no_more(refinement: Refinement, tmp_path: Path) -> None:
    calibration = read_calibration(refinement.labels.root, refinement.calibration.shards[0])
    large = repeat(refinement, str(tmp_path), 4)
    assert sum(count_photos(large).flow.values()) == 4 * refinement.account.ingested
    gallery = build_gallery(large, calibration, per_kind=3, max_bytes=0)
    kinds = Counter(refinement.judged_findings.read(["kind"])["kind"].to_pylist())
    assert Counter(e.kind for e in gallery.entries) == {k: min(3, 4 * n) for k, n in kinds.items()}


def test_names_and_words_from_outside_are_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    entry = GalleryEntry("outlier", "yes", "the policy", (evil,), evil, 0.5, (Side(evil, ("f",)),))
    photos = {"f": ShownPhoto(evil, evil, f"file:///{evil}")}
    gallery = Gallery([entry], {("outlier", "yes"): 1}, [entry], 0.5, {"f": "data:image/jpeg;base64,AA=="}, photos, {})
    counts = [IdentityCounts(evil, 3, 1, 1, 0, {"outlier": 1})]
    body = (
        finding_section(gallery)
        + doubtful_removals_section(gallery)
        + identity_table(counts, {evil: [PhotoFate(evil, evil, evil)]})
    )
    text = render(ReportPage(evil, evil, [Section("a", evil, body)], []))
    assert "<script>alert" not in text
    assert text.count("<script") == 3  # the page's own, and the names and the photos as data


def test_a_chart_has_a_description_and_unique_ids() -> None:
    rows = [FateCounts("$1_a$ & <b>", 10, 4, 3, 2)]
    both = [svg(noise_shares(name, "Noise & more", rows, "group")) for name in ("one", "two")]
    ids = [set(re.findall(r'id="([^"]+)"', text)) for text in both]
    assert ids[0].isdisjoint(ids[1])
    for text in both:
        drawing = ET.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
        assert "40.0% removed" in drawing.attrib["aria-label"]
        assert drawing.attrib["role"] == "img"
        assert GREEN in text  # hatched bars keep their colour
        used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
        assert used <= ids[both.index(text)]


def test_a_written_chart_needs_no_other_file_and_is_reproducible(tmp_path: Path) -> None:
    flow = {("web", "kept", ""): 7, ("web", "relabelled", "merge"): 2, ("web", "removed", "outlier"): 3}
    for folder in ("one", "two"):
        write_charts([photo_flow(flow)], tmp_path / folder)
    text = (tmp_path / "one/photo_flow.svg").read_text()
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r'(href|src)="(?!#)', text), "nothing else is loaded"
    assert text == (tmp_path / "two/photo_flow.svg").read_text()
    assert (tmp_path / "one/photo_flow.png").stat().st_size > 1000


def test_the_numbers_of_a_logarithmic_axis_are_plain_text() -> None:
    drawn = svg(calibration_curves(TWO, {"outlier": 2.7}))
    assert "mathdefault" not in drawn
    assert "0.0001<" in drawn
    assert "$" not in drawn
