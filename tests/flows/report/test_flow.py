"""A report of the sample world opens from disk in a real browser, loads nothing else, and its search works."""

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from flows.refine.flow import refine
from flows.report.flow import ReportFile, report
from pipeline.errors import UserError
from pipeline.refinement import latest
from pipeline.sample.models import DETECTOR, EMBEDDER
from tests.builders.label_studio.browser import SLOW_MS
from tests.builders.tables.repeated_refinement import repeat

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    source = ["image-folder", str(drawn_world / "photos")]
    refine.fn(str(folder / "root"), source, str(DETECTOR), str(EMBEDDER), shards=2)
    return folder / "root"


@pytest.fixture(scope="module")
def page_file(root: Path, drawn_world: Path) -> ReportFile:
    evaluation = {
        "figures": [
            {"test_set": "t", "figure": "accuracy", "model": "m", "against": "", "value": 0.9, "low": 0.8, "high": None}
        ],
        "rocs": {"t": {"m": [[0.001, 0.1, 1], [0.2, 0.7, 1]]}},
    }
    (root.parent / "e.json").write_text(json.dumps(evaluation))
    names = sorted(p.name for p in (drawn_world / "photos").iterdir())
    (root.parent / "groups.csv").write_text("identity,group\n" + "".join(f"{n},Martians\n" for n in names[:3]))
    return report(
        str(root),
        out=root.parent / "report.html",
        plots=str(root.parent / "plots"),
        evaluation=[root.parent / "e.json"],
        groups=str(root.parent / "groups.csv"),
        each=5,
        browse="http://127.0.0.1:8080/?token=a-key",
    )


@pytest.fixture(scope="module")
def comparison(root: Path, drawn_world: Path) -> ReportFile:
    """The refinement compared with one that keeps no identity, for none has a hundred photos."""
    other = root.parent / "other"
    source = ["image-folder", str(drawn_world / "photos")]
    refine.fn(str(other), source, str(DETECTOR), str(EMBEDDER), shards=3, min_faces=100)
    return report(str(root), against=[str(other)], out=root.parent / "both.html", each=5)


def open_page(browser: Any, file: str, width: int) -> tuple[Any, list[str], list[str]]:
    """The page of a file, its messages on the console, and the addresses that it requests."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(SLOW_MS)
    messages: list[str] = []
    page.on("console", lambda m: messages.append(m.text))
    page.on("pageerror", lambda e: messages.append(str(e)))
    requests: list[str] = []
    page.on("request", lambda r: requests.append(r.url) if not r.url.startswith("data:") else None)
    page.goto(Path(file).as_uri())
    return page, messages, requests


def check_one_identity(page: Any, name: str) -> None:
    """A click on an identity lists its photos, each with its outcome."""
    page.locator("#identity-rows button").first.click()
    photos = page.locator("#identity-photos tbody tr").all_inner_texts()
    counted = page.locator("#identity-rows tr").first.locator("td").nth(1).inner_text()
    assert len([p for p in photos if p.startswith(f"{name}/")]) == int(counted)
    assert all(any(word in p for word in ("kept", "removed: ", "relabelled: ")) for p in photos)


def check_enlarged(page: Any) -> None:
    """A face is enlarged, with the name and the file of its photo; a key closes it."""
    page.locator("#cards button.face:visible").first.click()
    assert "http://127.0.0.1:8080/open?photo=" in page.locator("#in-gallery").get_attribute("href")
    assert page.locator("#enlarged code").inner_text().startswith("photos: ")
    file = Path(unquote(urlparse(page.locator("#file").get_attribute("href")).path))
    assert file.is_file()
    assert page.locator("#enlarged code").inner_text().endswith(f"{file.parent.name}/{file.name}")
    page.keyboard.press("Escape")
    assert not page.locator("#enlarged").is_visible()


def test_cards_come_in_portions_and_tables_are_sorted(root: Path, browser: Any) -> None:
    repeat(latest(str(root)), str(root.parent / "thrice"), 3)
    page_file = report(str(root.parent / "thrice"), out=root.parent / "more.html", each=60)
    page, messages, _ = open_page(browser, page_file.file, 390)
    assert page.locator("#cards li:visible").count() == 24 < page.locator("#cards li").count()
    assert page.evaluate("document.documentElement.scrollHeight") < 30_000
    page.click("#more")
    assert page.locator("#cards li:visible").count() > 24
    heading = page.locator("#findings th", has_text="holds").first
    column = "#findings tbody td:nth-child(3)"
    for order, falls in (("descending", True), ("ascending", False)):
        heading.locator("button").click()
        values = [int(v.replace(",", "")) for v in page.locator(column).all_inner_texts()]
        assert values == sorted(values, reverse=falls)
        assert heading.get_attribute("aria-sort") == order
    assert messages == []
    page.close()


def test_two_roots_without_a_common_photo_say_so(root: Path, drawn_world: Path, tmp_path: Path) -> None:
    other = tmp_path / "photos elsewhere/ann"
    other.mkdir(parents=True)
    for photo in sorted((drawn_world / "photos").rglob("*.jpg"))[:3]:
        shutil.copy(photo, other)
    refine.fn(str(tmp_path / "root"), ["image-folder", str(other.parent)], str(DETECTOR), str(EMBEDDER))
    report(str(root), against=[str(tmp_path / "root")], out=tmp_path / "both.html")
    assert "A and B have no photo in common" in (tmp_path / "both.html").read_text()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_without_a_network_and_is_searched_by_keyboard(
    page_file: ReportFile, browser: Any, shots: Path, width: int
) -> None:
    page, messages, requests = open_page(browser, page_file.file, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    smallest = "Math.min(...[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().width))"
    assert page.evaluate(smallest) > 500, "a drawing's text would be too small to read: it is scrolled instead"
    assert page.evaluate("[...document.images].length") > 5
    page.evaluate("document.images[0].scrollIntoView()")
    page.evaluate("document.images[0].decode()")  # wait_for_function would evaluate a string, which the page forbids
    page.screenshot(path=str(shots / f"report-{width}.png"))
    names = page.locator("#cards li").evaluate_all("all => all.map(li => li.dataset.names)")
    page.focus("#name")
    page.keyboard.type(names[0].split()[0])
    visible = page.locator("#cards li:visible").evaluate_all("all => all.map(li => li.dataset.names)")
    assert visible == [n for n in names if names[0].split()[0] in n]
    assert 0 < len(visible) < len(names)
    page.fill("#name", "")
    page.select_option("#kind", "outlier")
    kinds = page.locator("#cards li:visible").evaluate_all("all => all.map(li => li.dataset.kind)")
    assert set(kinds) == {"outlier"}
    page.fill("#identity", names[0].split()[0])
    assert page.locator("#identity-rows tr td:first-child").first.inner_text() == names[0].split()[0]
    check_one_identity(page, names[0].split()[0])
    check_enlarged(page)
    assert page.locator("svg:not([aria-label]), img:not([alt])").count() == 0
    assert messages == []
    assert requests == [Path(page_file.file).as_uri()]
    page.close()


def test_every_plot_is_a_png_and_an_svg_and_groups_are_not_written_to_the_root(
    page_file: ReportFile, root: Path
) -> None:
    files = sorted(p.name for p in (root.parent / "plots").iterdir())
    assert len(files) == 2 * page_file.plots
    assert {"by_group.png", "roc.svg", "photo_flow.svg", "models_0.png"} <= set(files)
    assert "Martians" in Path(page_file.file).read_text()
    assert not [p for p in root.rglob("*") if p.is_file() and b"Martians" in p.read_bytes()]


@pytest.mark.parametrize("width", [1280, 390])
def test_photos_of_different_fates_are_shown_and_searched(
    comparison: ReportFile, browser: Any, shots: Path, width: int
) -> None:
    page, messages, requests = open_page(browser, comparison.file, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#changed").scroll_into_view_if_needed()
    page.screenshot(path=str(shots / f"compared-{width}.png"))
    kinds = page.locator("#cards li").evaluate_all("all => all.map(li => li.dataset.kind)")
    assert "kept / removed: too_few" in kinds
    assert len(kinds) == comparison.findings
    assert page.locator("#cards li img").count() >= comparison.faces > 0
    page.select_option("#kind", "kept / removed: too_few")
    visible = page.locator("#cards li:visible").evaluate_all("all => all.map(li => li.dataset.kind)")
    assert set(visible) == {"kept / removed: too_few"}
    assert 0 < len(visible) <= 5
    assert page.locator("svg:not([aria-label]), img:not([alt])").count() == 0
    assert messages == []
    assert requests == [Path(comparison.file).as_uri()]
    page.close()


def test_a_comparison_keeps_to_the_budget_of_bytes(root: Path, comparison: ReportFile, tmp_path: Path) -> None:
    few = report(str(root), against=[str(root.parent / "other")], out=tmp_path / "f.html", each=1, megabytes=0.02)
    assert 0 < few.faces < comparison.faces
    assert few.findings < comparison.findings
    assert Path(few.file).stat().st_size < Path(comparison.file).stat().st_size


def test_two_roots_or_two_evaluations_are_compared(root: Path, tmp_path: Path) -> None:
    with_itself = report(str(root), against=[str(root)], out=tmp_path / "c.html")
    assert "None." in Path(with_itself.file).read_text(), "no photo has another fate"
    evaluation = str(root.parent / "e2.json")
    Path(evaluation).write_text('{"figures": []}')
    report(evaluation, against=[evaluation], out=tmp_path / "e.html")
    figure = {"test_set": "t", "figure": "EER", "model": "m", "against": "", "value": 0.1, "low": None, "high": None}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "e.json").write_text(json.dumps({"figures": [figure]}))
    files = (str(tmp_path / "one/e.json"), str(tmp_path / "two/e.json"))
    text = Path(report(files[0], against=[files[1]], out=tmp_path / "e.html").file).read_text()
    assert f"EER, {files[0]}: m: 0.1000; EER, {files[1]}: m: 0.1000" in text, (
        "models of the same name are called after their files"
    )
    with pytest.raises(UserError, match="two of the same kind"):
        report(str(root), against=[evaluation], out=tmp_path / "x.html")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"root": "e.json"}, "give a root, or A --against B, both of the same kind"),
        ({"root": "nowhere"}, "no finished refinement"),
        ({"root": "ROOT", "each": 0}, "--each 0"),
        ({"root": "ROOT", "megabytes": float("nan")}, "--megabytes nan"),
        ({"root": "ROOT", "photo_megabytes": float("inf")}, "--photo-megabytes inf"),
        ({"root": "ROOT", "against": ["other"], "photo_megabytes": 1.0}, "--photo-megabytes with --against"),
        ({"root": "ROOT", "evaluation": [Path("none.json")]}, "cannot read none.json as an evaluation"),
        ({"root": "ROOT", "out": Path("/proc/none/report.html")}, "cannot write /proc/none/report.html"),
    ],
)
def test_a_mistake_is_one_line(root: Path, options: dict[str, Any], message: str) -> None:
    options = {name: str(root) if value == "ROOT" else value for name, value in options.items()}
    with pytest.raises(UserError, match=message):
        report(**({"out": root.parent / "x.html"} | options))


def test_the_page_of_many_identities_is_hardly_larger_than_that_of_a_third_of_them(root: Path, tmp_path: Path) -> None:
    refinement = latest(str(root))
    megabytes = {}
    for identities in (400, 1200):
        large = str(tmp_path / f"{identities}")
        repeat(refinement, large, 1 + identities // refinement.account.identities_claimed)
        assert latest(large).account.identities_claimed > identities
        megabytes[identities] = report(large, out=tmp_path / f"{identities}.html").megabytes
    assert 0.5 < megabytes[1200] < 1.2 * megabytes[400] < 25
