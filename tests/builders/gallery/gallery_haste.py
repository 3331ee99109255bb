"""What people do to the gallery in haste or by mistake, and answers of the gallery that are late, lost or odd."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.builders.gallery.gallery_pages import Pages

LONG = "W" * 240  # what is put after every name; a file's name has at most 255 letters
LIKE_A_PHOTO = "0123456789abcdef0123"  # a name of 20 digits as an id of a face has them


@contextmanager
def answers_changed(pages: Pages, pattern: str, change: Callable[[str], str], asked: str = "") -> Iterator[None]:
    """Change the gallery's answers; asked: what names have more than the gallery knows, taken out of addresses."""

    def handle(route: Any) -> None:
        response = route.fetch(url=route.request.url.replace(asked, "") if asked else None)
        is_json = response.headers["content-type"].startswith("application/json")
        route.fulfill(response=response, body=change(response.text()) if is_json else None)

    pages.page.route(pattern, handle)
    yield
    pages.page.unroute(pattern, handle)


@contextmanager
def held(pages: Pages, pattern: str) -> Iterator[list[Any]]:
    """The requests that wait in here until they are continued or answered."""
    routes: list[Any] = []

    def hold(route: Any) -> None:
        routes.append(route)

    pages.page.route(pattern, hold)
    yield routes
    pages.page.unroute(pattern, hold)


def confirm_a_name_at_once(pages: Pages, name: str) -> None:
    """A name that is typed and confirmed before its list is there is the one that is decided about."""
    page = pages.page
    pages.open(f"identity/{name}", ".near a")
    page.keyboard.down("n")
    page.wait_for_selector(".choices button")
    page.keyboard.down("n")  # which is held still, as Enter on the button of this dialog may be: no letter, no answer
    page.dispatch_event("#ask-name", "keydown", {"key": "Enter", "repeat": True})
    page.keyboard.up("n")
    assert page.input_value("#ask-name") == ""
    proposed = page.locator(".choices button").evaluate_all("all => all.map((b) => b.firstChild.textContent)")
    assert len(proposed) > 1
    with held(pages, "**/api/identities?*") as routes:
        page.keyboard.insert_text(proposed[1])
        page.keyboard.press("Enter")
        page.wait_for_timeout(50)
        assert page.locator("dialog").count() == 1
        (route,) = routes
        response = route.fetch()
        answer = response.json()
        answer["rows"].insert(0, answer["rows"][0] | {"name": f"A {proposed[1]}"})
        with page.expect_request("**/api/decide") as decided:
            route.fulfill(response=response, body=json.dumps(answer))
        assert decided.value.post_data_json == {"kind": "separate", "name": name, "other": proposed[1]}
    pages.decided("Not the same")


def hold_keys_and_press_two(pages: Pages, face: str) -> None:
    """A key that is held is one answer, in either case; a decision that is on its way is the only one."""
    page = pages.page
    sent: list[str] = []

    def note(request: Any) -> None:
        if request.method == "POST":
            sent.append(request.url.rpartition("/")[2])

    page.on("request", note)
    pages.open(f"photo/{face}", "text=Keep")
    page.keyboard.press("Control+K")
    for key, word in (("K", "Kept"), ("U", "Unusable"), ("Z", "Undone")):
        for _ in range(3):
            page.keyboard.down(key)
        page.keyboard.up(key)
        pages.said(word)
    page.wait_for_timeout(50)
    assert sent == ["decide", "decide", "undo"]
    with held(pages, "**/api/decide") as routes:
        page.keyboard.press("k")
        page.keyboard.press("r")
        pages.said("not noted yet")
        page.keyboard.press("z")
        page.wait_for_timeout(50)
        routes[0].continue_()
        page.wait_for_selector(".toast:last-child:has-text('Undone')")
    assert sent == ["decide", "decide", "undo", "decide", "undo"]
    pages.close_messages()
    page.keyboard.press("z")
    pages.said("Undone")
    pages.close_messages()
    page.remove_listener("request", note)


def answer_late(pages: Pages) -> None:
    """Of two requests on their way, the answer to the newest one is taken, though the other one is answered last."""
    taken = pages.page.evaluate("""async () => {
        const { newest } = await import("/static/newest.js"), answer = [];
        const read = newest(() => new Promise((resolve) => answer.push(resolve)));
        const both = [read(), read()];
        answer[1]("new");
        answer[0]("old");
        return Promise.all(both);
    }""")
    assert taken == ["new", "new"]


def open_what_is_no_page(pages: Pages) -> None:
    for word in ("constructor", "toString/a", "__proto__", "nothing"):
        pages.open(word, f"text=#/{word}")
        assert pages.page.inner_text("h1") == "There is no such page"


def lose_an_answer(pages: Pages) -> None:
    """The list of identities comes again after requests that failed."""
    page = pages.page
    pages.open("identities", ".row a")
    page.route("**/api/identities?*query=no*", lambda route: route.abort())
    page.fill("#query", "no name has this")
    page.wait_for_selector("output:has-text('does not answer')")
    page.unroute("**/api/identities?*query=no*")
    page.wait_for_selector("output:has-text('0 identities')")
    page.fill("#query", "")
    page.wait_for_selector(".row a")


def read_odd_names(pages: Pages, face: str, name: str) -> None:
    """No page is wider than a phone whatever the names; a name that looks like a photo is no photo."""
    page, names = pages.page, pages.gallery.loaded().snapshot.photos.names
    with answers_changed(pages, "**/api/photo?*", lambda text: text.replace(json.dumps(name), f'"{LIKE_A_PHOTO}"')):
        pages.open(f"photo/{face}", f".findings a:text-is('{LIKE_A_PHOTO}')")
        page.wait_for_selector(f".findings a[href='#/identity/{LIKE_A_PHOTO}']")
    page.keyboard.press("k")  # so that ann has decided something
    pages.said("Kept")
    any_name = re.compile("|".join(rf"\b{re.escape(n)}\b" for n in names))
    page.set_viewport_size({"width": 390, "height": 844})
    with answers_changed(pages, "**/api/**", lambda text: any_name.sub(lambda m: m[0] + LONG, text), asked=LONG):
        page.goto("about:blank")
        for place, wait_for in pages.places(face, name).items():
            pages.open(place, wait_for)
            if place == "map":
                page.keyboard.press("V")
                page.wait_for_selector(".chosen li")
            if place.startswith("identity/"):
                page.keyboard.press("G")
                page.wait_for_selector(".choices button")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 390, (place, width)
            page.keyboard.press("Escape")
    page.locator(".events li:not(.withdrawn) button").first.click()
    pages.said("Undone")
    pages.close_messages()
    page.set_viewport_size({"width": 1280, "height": 900})


def look_at_scores_and_an_empty_part(pages: Pages, face: str) -> None:
    """Names of thresholds cross no line, the highest score or not; a part of the map without a person is not shown."""
    page = pages.page

    def high_thresholds(text: str) -> str:
        view = json.loads(text)
        for i, threshold in enumerate(view["thresholds"]):
            threshold["value"] = 9 + 0.3 * i
        return json.dumps(view)

    with answers_changed(pages, "**/api/photo?*", high_thresholds):
        page.goto("about:blank")
        pages.open(f"photo/{face}", ".scores g text")
        crossed = page.evaluate("""[...document.querySelectorAll(".scores g text")].flatMap((text) => {
            const name = text.getBBox();
            const lines = [...document.querySelectorAll(".scores .threshold")].map((line) => line.getBBox());
            const hit = lines.some((l) => l.x > name.x && l.x < name.x + name.width && l.y < name.y + name.height);
            return hit || name.x + name.width > 600 ? [text.textContent] : [];
        })""")
        assert not crossed
    pages.open("map", ".chosen .marked")
    page.keyboard.press("Escape")
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    for _ in range(6):
        page.mouse.wheel(0, -500)
    page.wait_for_timeout(50)
    page.keyboard.press("V")
    page.wait_for_selector(".chosen li")
    page.keyboard.press("0")
    page.keyboard.press("Escape")
