"""The gallery in headless Chromium: every page, every kind of decision and its undo, by mouse and by keyboard."""

import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.browse.pages import identity_page
from pipeline.browse.pages.photo_pictures import whole_photo
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from tests.builders.gallery import gallery_haste, gallery_use
from tests.builders.gallery.gallery_pages import Pages, faults_of_pages, outlier_of
from tests.builders.label_studio.browser import SLOW_MS
from tests.builders.photos.refined_world import refined_world_of_run
from tests.builders.processes.served_gallery import TOKEN, served, started, wait_until

HOSTILE = '<img src=x onerror="document.title=1">'


def test_no_page_makes_html_of_text() -> None:
    folder = files("flows.browse") / "static"
    scripts = {f.name: f.read_text() for f in folder.iterdir() if f.name.endswith(".js")}
    assert len(scripts) > 5
    makes_html = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function|srcdoc"
    assert not [name for name, text in scripts.items() if re.search(makes_html, text)]
    reached = {word for text in scripts.values() for word in re.findall(r"https?://[^\"'` ]+", text)}
    assert reached <= {"http://www.w3.org/2000/svg"}


@pytest.fixture(scope="module")
def pages(browser: Any, drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    made = refined_world_of_run(drawn_world, tmp_path_factory)
    root = str(shutil.copytree(made, tmp_path_factory.mktemp("gallery") / "root"))
    ledger.set_votes_wanted(root, 1)
    with started(root, "ann") as gallery, served(gallery) as base:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(SLOW_MS)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{base}/?token={TOKEN}")
        yield Pages(page, base, gallery)
        # Chromium's own words of three requests that are refused below, of two without a key, and of those cut off,
        # which are two or, as what failed is asked for again, some more
        expected = {"422": 3, "401": 1, "403": 1}
        assert {word: sum(word in line for line in said) for word in expected} == expected
        assert sum("ERR_FAILED" in line for line in said) == len(said) - 5 >= 2
        page.context.close()


@pytest.mark.slow
def test_overview_and_list(pages: Pages) -> None:
    page = pages.page
    page.wait_for_selector("h1")
    assert f"{latest(pages.gallery.root).account.ingested} photos" in page.inner_text(".lead")
    assert not re.search("token|key", page.url)
    page.click("text=Look at the identities")
    page.wait_for_selector(".row a")
    page.keyboard.press("/")
    page.keyboard.type(HOSTILE)
    page.wait_for_selector("text=0 identities")
    page.fill("#query", "")
    page.select_option("#order", "size")
    page.wait_for_selector(".figure:has-text('claimed')")
    page.locator(".row a").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".face")
    pages.open("identity/" + HOSTILE.replace("/", "%2F"), "[role=alert]")
    assert HOSTILE in page.inner_text("[role=alert]")


@pytest.mark.slow
def test_every_decision_about_an_identity(pages: Pages, shots: Path) -> None:
    page, (face, name, others) = pages.page, outlier_of(pages)
    pages.open(f"identity/{name}", ".face img")
    removed = page.locator(f"[data-face='{face}']")
    removed.click()
    page.click("text=Keep")
    pages.decided("Kept")
    page.keyboard.press("Escape")
    kept = page.locator("section:has(h2.kept) .face")
    kept.first.focus()
    page.keyboard.press(" ")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator(".face[aria-selected=true]").count() == 2
    page.keyboard.press("u")
    pages.decided("Unusable", "2 photos: kept → poor")
    page.keyboard.press("Escape")
    kept.first.click()
    kept.last.click(modifiers=["Shift"])
    assert page.locator(".face[aria-selected=true]").count() == kept.count()
    page.keyboard.press("r")
    pages.decided("Removed")
    page.keyboard.press("Escape")
    removed.click()
    page.keyboard.press("m")
    pages.choose(others[0])
    pages.decided("Moved", "outlier → kept: misplaced")
    page.keyboard.press("g")
    pages.choose(others[1])
    pages.decided("Merged")
    page.keyboard.press("n")
    pages.choose(others[1])
    pages.decided("Not the same")
    page.keyboard.press("Escape")
    removed.click()
    page.keyboard.press("s")
    page.wait_for_selector(".toast:has-text('no group of these photos is a person')")
    page.screenshot(path=shots / "browse-identity.png")


@pytest.mark.slow
def test_a_very_large_identity_has_further_pages(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity_page, "MAX_FACES", 3)
    page, (_, name, _) = pages.page, outlier_of(pages)
    snapshot = pages.gallery.loaded().snapshot
    rows = np.flatnonzero(snapshot.photos.claimed == snapshot.photos.code_of_name[name]).tolist()
    pages.open("", "text=Look at the identities")
    pages.open(f"identity/{name}", "text=Further photos")
    shown: list[str] = []
    while True:
        shown += page.locator(".face").evaluate_all("faces => faces.map((f) => f.dataset.face)")
        if not page.locator("text=Further photos").count():
            break
        page.click("text=Further photos")
        page.wait_for_selector(f"[data-face='{shown[-1]}']", state="detached")
    assert len(shown) == len(set(shown)) > 3
    assert {snapshot.photos.face_id(row) for row in rows} <= set(shown)
    page.click("text=Earlier photos")
    page.wait_for_selector("text=Further photos")


@pytest.mark.slow
def test_an_undo_takes_back_its_own_decision_and_one_that_failed_can_be_made_again(pages: Pages) -> None:
    page, (face, _, _) = pages.page, outlier_of(pages)
    pages.open(f"photo/{face}", "text=Keep")
    for key, word in (("k", "Kept"), ("u", "Unusable"), ("z", "Undone")):
        page.keyboard.press(key)
        page.wait_for_selector(f".toast:last-child:has-text('{word}')")
    page.click(".toast:has-text('Unusable') >> text=Undo")  # the message of what Z took back
    page.wait_for_selector(".toast:last-child:has-text('no decision')")
    page.route("**/api/undo", lambda route: route.abort())
    page.keyboard.press("z")
    page.wait_for_selector(".toast:last-child:has-text('does not answer')")
    page.unroute("**/api/undo")
    page.keyboard.press("z")
    page.wait_for_selector(".toast:last-child:has-text('Undone')")
    gallery_use.decide_without_key(pages)
    page.goto(f"{pages.base}/?token={TOKEN}")


@pytest.mark.slow
def test_one_photo_and_whose_face_it_is(pages: Pages, shots: Path, tmp_path: Path) -> None:
    page, (face, _, others) = pages.page, outlier_of(pages)
    # from a page elsewhere, as a report: no cookie is sent, and the way goes on from the page that says so
    page.goto("about:blank")
    page.set_content(f"<a href='{pages.base}/open?photo={face}'>there</a>")
    page.click("text=there")
    page.click("text=go on")
    page.wait_for_selector(".frame.chosen")
    assert page.url == f"{pages.base}/#/photo/{face}"
    page.wait_for_selector(".scores .other", state="attached")
    page.keyboard.press("k")
    pages.decided("Kept")
    page.locator("text=It is wrong >> visible=true").first.click()
    page.wait_for_selector(".toast:has-text('Decided')")
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=shots / "browse-photo-390.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    snapshot = pages.gallery.loaded().snapshot
    medoid = int(snapshot.photos.rows_of([snapshot.photos.medoids[others[0]]])[0])
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(whole_photo(snapshot, medoid).jpeg)
    pages.open("find", "#photo")
    page.set_input_files("#photo", photo)
    page.wait_for_selector(".people a")
    assert page.inner_text(".people a >> nth=0") == others[0]
    pages.open("review", "h2:has-text('Annotators')")
    page.click("th a:text-is('ann')")
    page.wait_for_selector("th:has-text('a photo that is not the person of its claimed identity')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "Nobody else answered about the same findings" in page.inner_text(".lead")
    page.click("text=Decisions by ann")
    page.wait_for_selector("text=decisions by ann")


@pytest.mark.slow
def test_every_decision_by_mouse_and_those_about_a_person_by_key(pages: Pages) -> None:
    snapshot = pages.gallery.loaded().snapshot
    face, name, others = outlier_of(pages, -1)  # of which no answer is left
    gallery_use.decide_by_mouse(pages, face, name, others[0])
    gallery_use.split_and_join(pages, snapshot.photos.names[snapshot.photos.claimed_names])
    gallery_use.decide_about_a_photo_by_key(pages, face, others[0])
    gallery_use.judge_findings(pages, face)


@pytest.mark.slow
def test_the_map_makes_a_list_and_decides_about_it(pages: Pages, shots: Path) -> None:
    pages.page.set_viewport_size({"width": 1280, "height": 900})
    current = gallery_use.use_map_by_key(pages)
    gallery_use.use_map_by_mouse(pages)
    gallery_use.pinch_map(pages)
    pages.page.fill("#map-query", current)
    pages.page.keyboard.press("Enter")
    persons = pages.gallery.loaded().snapshot.photos.persons["person"].to_pylist()
    pages.page.wait_for_selector(f"output:has-text('{sum(current in name for name in persons)} ringed')")
    pages.page.screenshot(path=shots / "browse-map.png")
    pages.page.focus("canvas")
    pages.page.keyboard.press("Enter")
    pages.page.wait_for_selector(f"h1:text-is('{current}')")


@pytest.mark.slow
def test_what_is_done_in_haste_is_what_was_meant_and_odd_names_and_addresses_do_no_harm(pages: Pages) -> None:
    face, name, _ = outlier_of(pages)
    gallery_haste.confirm_a_name_at_once(pages, name)
    gallery_haste.hold_keys_and_press_two(pages, face)
    gallery_haste.answer_late(pages)
    gallery_haste.open_what_is_no_page(pages)
    gallery_haste.lose_an_answer(pages)
    gallery_haste.look_at_scores_and_an_empty_part(pages, face)
    gallery_haste.read_odd_names(pages, face, name)


@pytest.mark.slow
def test_axe_finds_nothing_serious_on_any_page(pages: Pages) -> None:
    face, name, _ = outlier_of(pages)
    assert not faults_of_pages(pages, face, name)


@pytest.mark.slow
def test_history_undoes_what_is_left(pages: Pages) -> None:
    page, root = pages.page, pages.gallery.root
    pages.open("history", ".events li")
    assert page.locator(".events .withdrawn").count() == page.locator(".events li").count() - 1
    page.locator(".events li:not(.withdrawn) button").press("Enter")
    page.wait_for_selector(".events:not(:has(li:not(.withdrawn)))")
    wait_until(lambda: not pages.gallery.is_pending)
    assert latest(root).labels.address == pages.address  # nothing is left of all that was decided
