"""What a person does in the gallery, by mouse or by keyboard, each decision with its undo."""

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
    page.locator("button:enabled:text-is('It is right')").first.press("Enter")
    pages.decided("Decided")
    page.keyboard.press("a")
    pages.said("asks about these already")
    pages.close_messages()


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
