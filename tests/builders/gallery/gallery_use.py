"""What a person does in the gallery, by mouse or by keyboard, each decision with its undo."""

from functools import partial

from tests.builders.gallery.gallery_pages import Pages


def decide_by_mouse(pages: Pages, face: str, name: str, other: str) -> None:
    """Decisions about a photo of an identity, and about two identities; then annotators are asked."""
    page = pages.page
    pages.open(f"identity/{name}", ".face img")
    for button, message in (("Remove", "Removed"), ("Unusable", "Unusable"), ("Move to", "Moved")):
        page.click(f"[data-face='{face}']")
        page.click(f".actions >> text={button}")
        if button == "Move to":
            pages.choose(other)
        pages.decided(message, by_mouse=True)
    for button, message in (("Merge with", "Merged"), ("Not the same as", "Not the same")):
        page.click(f".actions >> text={button}")
        pages.choose(other)
        pages.decided(message, by_mouse=True)
    page.click(f"[data-face='{face}']")
    page.click(".actions >> text=Ask annotators")
    pages.said("asked about first")
    pages.close_messages()


def split_and_join(pages: Pages, split: str) -> None:
    """The split of a person that the machine split off is undone, and is said to be right."""
    page = pages.page
    pages.open(f"identity/{split}", ".face img")
    page.click(".actions >> text=Undo the split")
    pages.decided("Not split", by_mouse=True)
    page.keyboard.press("j")
    pages.decided("Not split")
    page.locator(".face").first.click()
    page.click(".actions >> text=Split these")
    pages.decided("Split", by_mouse=True)
    page.locator(".face").first.press(" ")
    page.keyboard.press("s")
    pages.decided("Split")


def decide_about_a_photo_by_key(pages: Pages, face: str, other: str) -> None:
    page = pages.page
    pages.open(f"photo/{face}", ".frame.chosen")
    page.keyboard.press("r")
    pages.decided("Removed")
    page.keyboard.press("m")
    pages.choose_by_key(other)
    pages.decided("Moved")
    page.keyboard.press("a")
    pages.said("asks about these already")
    pages.close_messages()


def judge_findings(pages: Pages, face: str) -> None:
    """What was found about a photo is said to be right and to be wrong, by mouse and by keyboard."""
    pages.open(f"photo/{face}", ".frame.chosen")
    _judge(pages, ".findings button:enabled:text-is('It is right')", ".verdict.yes:has-text('the answers of ann')")
    _judge(pages, ".findings button:enabled:text-is('It is wrong')", ".verdict.no:has-text('the answers of ann')")


def judge_links(pages: Pages, name: str) -> None:
    """Two names that were found alike are said to be one person, and to be two, on the page of one of them."""
    pages.open(f"identity/{name}", "h2:has-text('Found alike')")
    _judge(pages, ".pair >> text=Same person", ".people li:has-text('merged, with the answers of ann')")
    _judge(pages, ".pair >> text=Not the same", ".people li:has-text('not the same, with the answers of ann')")


def _judge(pages: Pages, button: str, shown: str) -> None:
    """Decide with a button, by mouse and by keyboard, and undo it; shown: what the page says in between.

    Where the scores are surer than one answer the message says so, and the decision is made again.
    """
    page = pages.page
    for by_mouse in (True, False):
        press = page.locator(button).first.click if by_mouse else partial(page.locator(button).first.press, "Enter")
        press()
        pages.said("Decided")
        if outvoted := "decide again to overrule" in page.inner_text(".toast:last-child"):
            pages.close_messages()
            press()
        page.wait_for_selector(shown)
        pages.decided("Decided", by_mouse=by_mouse)
        if outvoted:
            page.keyboard.press("z")
            pages.said("Undone")
            pages.close_messages()
        page.wait_for_selector(shown, state="detached")


def decide_without_key(pages: Pages) -> None:
    """On the page of a photo, where the browser has the cookie alone, as another server that got it."""
    pages.page.evaluate("localStorage.clear()")
    pages.page.reload()
    pages.page.wait_for_selector("text=Keep")
    pages.page.keyboard.press("k")
    pages.page.wait_for_selector(".toast:last-child:has-text('printed again')")


def use_map_by_key(pages: Pages) -> str:
    """Persons are chosen one by one and by what is on the screen; two are decided about. Gives the current person."""
    page, persons = pages.page, len(pages.gallery.loaded().snapshot.photos.persons)
    pages.open("map", ".chosen .marked")  # which is there once the points are
    page.focus("canvas")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".here:has-text('photos kept')")
    current = str(page.inner_text(".here").split(" · ")[0])
    page.keyboard.press(" ")
    page.wait_for_selector(f".chosen a:text-is('{current}')")
    for key in ("+", "-", "Shift+ArrowLeft", "0", "v"):  # zoom, move, show all, and choose all on the screen
        page.keyboard.press(key)
    page.wait_for_selector(f".chosen li:nth-child({persons})")
    for i in range(2):
        page.locator(".chosen input").nth(i).focus()
        page.keyboard.press(" ")
    for key, message in (("n", "Not the same"), ("g", "Merged")):
        page.keyboard.press(key)
        pages.decided(message)
    page.keyboard.press("Escape")
    assert page.locator(".chosen input").count() == 0
    return current


def use_map_by_mouse(pages: Pages) -> None:
    """A lasso around all persons, two of whom are decided about; then annotators are asked about them."""
    page, persons = pages.page, len(pages.gallery.loaded().snapshot.photos.persons)
    box = page.locator("canvas").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    for x, y in ((1, 0), (1, 1), (0, 1)):
        page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    page.mouse.up()
    page.keyboard.up("Shift")
    page.wait_for_selector(f".chosen li:nth-child({persons})")
    for i in range(2):
        page.locator(".chosen input").nth(i).click()
    for button, message in (("Not the same", "Not the same"), ("Merge", "Merged")):
        page.click(f".chosen .actions >> text={button}")
        pages.decided(message, by_mouse=True)
    page.click(".chosen .actions >> text=Ask annotators")
    pages.said("asked about")
    pages.close_messages()


def pinch_map(pages: Pages) -> None:
    """Two fingers that move apart enlarge the map, so that it shows fewer persons; then it shows all again."""
    page, persons = pages.page, len(pages.gallery.loaded().snapshot.photos.persons)
    box = page.locator("canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.keyboard.press("Escape")
    touch = page.context.new_cdp_session(page)
    for kind, half in (("touchStart", 20), ("touchMove", 60), ("touchMove", 160), ("touchEnd", 0)):
        fingers = [{"x": x + side * half, "y": y, "id": number} for number, side in enumerate((-1, 1)) if half]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
    page.keyboard.press("v")
    page.wait_for_selector(".chosen li")
    assert page.locator(".chosen li").count() < persons
    page.keyboard.press("0")
    page.keyboard.press("v")
    page.wait_for_selector(f".chosen li:nth-child({persons})")
    page.keyboard.press("Escape")
