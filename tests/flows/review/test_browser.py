"""Both kinds of pages answered in a browser as an annotator does it: by keys, by mouse, with submit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.printable import printable
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.collect import collect_answers
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.label_studio.records import Server
from pipeline.review.label_studio.send import send_questions
from pipeline.review.questions.question import GRID, MIXED, PAIR, Question
from tests.builders.hostile_names import NAMES
from tests.builders.label_studio.browser import SIZE, logged_in, stream, submitted
from tests.builders.label_studio.label_server import connection
from tests.builders.label_studio.review_pages import grid, ids, mixed, pair, pictures
from tests.builders.label_studio.sent_questions import review_of

pytestmark = pytest.mark.server
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def server(label_server: LocalServer) -> Server:
    return connection(label_server)


@pytest.fixture(scope="module")
def mary(browser: Any, server: Server) -> Iterator[Any]:
    page = logged_in(browser, server.url, "mary@example.org")
    yield page
    page.context.close()


def send_and_open(
    mary: Any, server: Server, name: str, page: str, *questions: Question, media: Path | None = None
) -> None:
    """Send questions and open their project."""
    assert send_questions(
        StudioClient(server), review_of(name), "all", questions, pictures, wanted_items=ids(*questions), media=media
    ).new == len(questions)
    (project,) = [p for p in StudioClient(server).projects(review_of(name)) if p.mark.page == page]
    stream(mary, server.url, project.id)


def answers(server: Server, name: str) -> dict[str, tuple[str, bool | None]]:
    collected, _ = collect_answers(server, review_of(name), {})
    assert {a.annotator for a in collected} == {"mary@example.org"}
    assert all(a.seconds > 0 for a in collected)
    return {a.item: (a.choice, a.knows) for a in collected}


def test_a_grid_is_answered_with_keys_and_clicks(mary: Any, server: Server, shots: Path) -> None:
    send_and_open(mary, server, "browser grid", GRID, grid("Ada Lovelace", cells=12))
    cells = mary.locator(".cell")
    assert cells.count() == 12
    mary.screenshot(path=shots / "grid.png")
    assert mary.locator(".cell .ant-radio-wrapper-checked").count() == 12  # the machine's view
    assert mary.get_by_text("unlike the others").count() == 12  # and its words
    for key in ("Shift+1", "Alt+2", "Shift+Alt+3", "Shift+q", "y"):
        mary.keyboard.press(key)
    cells.nth(3).get_by_text("this person", exact=True).click()
    cells.nth(4).get_by_text("no usable face").click()
    cells.nth(5).get_by_text("someone else").click(force=True)  # chosen already: it stays so, and keys still work
    mary.screenshot(path=shots / "grid-answered.png")
    mary.keyboard.press("Control+Enter")
    submitted(mary)
    expected = {f"Ada Lovelace.{i}": ("other", True) for i in range(12)}
    expected |= {
        f"Ada Lovelace.{i}": (choice, True)
        for i, choice in [(0, "same"), (1, "unusable"), (2, "unsure"), (10, "same"), (3, "same"), (4, "unusable")]
    }
    assert answers(server, "browser grid") == expected


def test_a_pair_is_answered_with_a_key_and_the_next_with_a_click(mary: Any, server: Server, shots: Path) -> None:
    send_and_open(
        mary, server, "browser pair", PAIR, pair("Ada Lovelace"), pair("Grace Hopper", machine_verdict="unsure")
    )
    assert mary.get_by_text("as like as two of one person").count() == 1
    mary.screenshot(path=shots / "pair.png")
    mary.keyboard.press("1")
    mary.keyboard.press("n")
    mary.keyboard.press("Control+Enter")
    submitted(mary)
    mary.wait_for_selector("text=Grace Hopper")
    mary.get_by_text("two different people").click()
    mary.screenshot(path=shots / "pair-answered.png")
    mary.locator("button", has_text="Submit").click()
    mary.wait_for_selector("text=Grace Hopper", state="detached")
    expected = {"Ada Lovelace.pair": ("same", False), "Grace Hopper.pair": ("different", None)}
    assert answers(server, "browser pair") == expected


def test_the_photos_of_a_mixed_page_are_ticked_with_keys_and_clicks(mary: Any, server: Server, shots: Path) -> None:
    send_and_open(mary, server, "browser mixed", MIXED, mixed("One Name", photos=4), mixed("Other Name", photos=3))
    assert mary.locator(".cell").count() == 4
    assert mary.locator(".cell .ant-checkbox-wrapper-checked").count() == 0
    mary.keyboard.press("1")
    mary.locator(".cell").nth(2).get_by_text("shows the person").click()
    mary.screenshot(path=shots / "mixed.png")
    mary.keyboard.press("Control+Enter")
    submitted(mary)
    mary.wait_for_selector("text=Other Name")
    mary.keyboard.press("x")
    mary.keyboard.press("Control+Enter")
    mary.wait_for_selector("text=Other Name", state="detached")
    expected = {"One Name.mixed": "same", "Other Name.mixed": "different"}
    expected |= {f"One Name.{i}": choice for i, choice in enumerate(("same", "other", "same", "other"))}
    assert answers(server, "browser mixed") == {item: (choice, None) for item, choice in expected.items()}


@pytest.mark.parametrize("question", [grid("Small"), pair("Small"), mixed("Small")], ids=lambda q: q.page)
def test_a_page_fits_a_phone_and_its_photos_open_over_the_window_and_close_again(
    mary: Any, server: Server, shots: Path, question: Question
) -> None:
    mary.set_viewport_size(PHONE)
    try:
        send_and_open(mary, server, f"browser phone {question.page}", question.page, question)
        mary.screenshot(path=shots / f"phone-{question.page}.png")
        for selector in (".top", ".face", ".lsf-choice", "button:has-text('Submit')"):
            assert mary.locator(selector).count()
            for box in (e.bounding_box() for e in mary.locator(selector).all()):
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= PHONE["width"]
        header, large = mary.get_by_text("large photo").first, "[...document.querySelectorAll('.large img')]"
        header.click()
        mary.wait_for_function(f"{large}.some(i => i.getBoundingClientRect().height > 500)")
        assert mary.locator(".large img").first.bounding_box()["width"] > 0.9 * PHONE["width"]
        mary.screenshot(path=shots / f"large-{question.page}.png")
        header.click()
        mary.wait_for_function(f"!{large}.some(i => i.getBoundingClientRect().height > 500)")
    finally:
        mary.set_viewport_size(SIZE)


def test_an_unanswered_page_cannot_be_submitted(mary: Any, server: Server) -> None:
    send_and_open(mary, server, "browser empty", GRID, grid("Nobody", cells=2, machine_verdict="unsure"))
    mary.keyboard.press("1")
    mary.keyboard.press("Control+Enter")
    mary.wait_for_selector("text=Please answer for every face. The key of a choice that is set already takes it back.")
    assert collect_answers(server, review_of("browser empty"), {})[0] == []


def test_pictures_come_from_the_folder_of_a_local_server(mary: Any, server: Server, label_server: LocalServer) -> None:
    media = label_server.media
    send_and_open(mary, server, "browser files", GRID, grid("From a folder", cells=2), media=media)
    widths = mary.evaluate("[...document.querySelectorAll('.cell img')].map(i => i.naturalWidth)")
    assert widths == [192, 192, 192, 192]  # each photo beside its face, and large


def test_names_that_are_markup_are_text_on_the_page_and_in_the_answers(mary: Any, server: Server) -> None:
    """The identity, the words of the machine and the review carry such names."""
    names = [f"{name}<img src=x onerror=alert(1)>" for name in NAMES if as_plain(name)]
    dialogs: list[str] = []
    mary.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    review = "names [/b] <script>alert(1)</script>"
    send_and_open(mary, server, review, PAIR, *(pair(name, machine_verdict="unsure") for name in names))
    shown = mary.locator("body").inner_text()
    assert any(" ".join(printable(name).split()) in " ".join(shown.split()) for name in names), shown
    mary.keyboard.press("2")
    mary.keyboard.press("n")
    mary.keyboard.press("Control+Enter")
    submitted(mary)
    ((item, given),) = answers(server, review).items()
    assert item in {f"{name}.pair" for name in names}
    assert given[0] == "different"
    assert dialogs == []


def as_plain(name: str) -> bool:
    """Whether a name is text, as the names in tables are."""
    return not any("\ud800" <= character <= "\udfff" for character in name)
