"""The gallery's pages in a browser, as a person uses them, and what axe-core finds wrong with them."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT

from flows.browse.gallery import Gallery
from pipeline.refinement import latest

# by the scheme of colours what axe-core looks at: in the dark, where all else is the same, at colours alone
LOOKED_AT: dict[str, dict[str, Any]] = {
    "dark": {"resultTypes": ["violations"], "runOnly": {"type": "rule", "values": ["color-contrast"]}},
    "light": {"resultTypes": ["violations"]},
}


class Pages:
    """The gallery's pages in a browser."""

    def __init__(self, page: Any, base: str, gallery: Gallery) -> None:
        self.page, self.base, self.gallery = page, base, gallery
        self.address = latest(gallery.root).labels.address

    def open(self, place: str, wait_for: str) -> None:
        self.page.goto(f"{self.base}/#/{place}")
        self.page.wait_for_selector(wait_for)

    def places(self, face: str, name: str) -> dict[str, str]:
        """The address of every page, and what is there once it is drawn."""
        return {
            "": ".flow rect",
            "identities": ".row a",
            f"identity/{name}": ".near a",
            f"photo/{face}": ".scores .other >> nth=0",
            "map": ".chosen .marked",
            "find": "#photo",
            "review": "h2:has-text('Annotators')",
            "annotator/ann": "table",
            "history": ".events li",
        }

    def said(self, *words: str) -> None:
        """Wait for the message of a decision that says all this."""
        self.page.wait_for_selector(f".toast:last-child:has-text('{words[0]}')")
        text = self.page.inner_text(".toast:last-child")
        assert all(word in text for word in words), text

    def decided(self, *words: str, by_mouse: bool = False) -> None:
        """Wait for the message of a decision that says all this, then undo it by the message's button or the key Z."""
        self.said(*words)
        if by_mouse:
            self.page.click(".toast:last-child >> text=Undo")
        else:
            self.page.keyboard.press("z")
        self.page.wait_for_selector(".toast:last-child:has-text('Undone')")
        self.close_messages()

    def close_messages(self) -> None:
        self.page.evaluate("document.getElementById('toasts').replaceChildren()")

    def choose(self, name: str) -> None:
        self.page.fill("#ask-name", name)
        self.page.locator(".choices button").get_by_text(name, exact=False).first.click()

    def choose_by_key(self, name: str) -> None:
        self.page.wait_for_selector("#ask-name:focus")
        self.page.keyboard.type(name)
        self.page.wait_for_selector(f".choices li:first-child:has-text('{name}')")
        self.page.keyboard.press("Enter")

    def faults(self) -> list[str]:
        """What axe-core finds serious or critical, in the light and in the dark, and a page wider than a phone."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        found = []
        for scheme, options in LOOKED_AT.items():
            self.page.emulate_media(color_scheme=scheme)
            found += _serious(self.page.evaluate("(options) => axe.run(options)", options))
        self.page.set_viewport_size({"width": 390, "height": 844})
        width = self.page.evaluate("document.documentElement.scrollWidth")
        self.page.set_viewport_size({"width": 1280, "height": 900})
        return found + ([f"{width} pixels wide where 390 are there"] if width > 390 else [])


def outlier_of(pages: Pages, number: int = 0) -> tuple[str, str, list[str]]:
    """A photo removed as an outlier, by number, its claimed identity, and other ones; all these keep their names."""
    snapshot = pages.gallery.loaded().snapshot
    claimed = snapshot.photos.claimed
    kept = {int(claimed[i]) for i in range(len(snapshot.photos)) if snapshot.reason(i) == ""}
    row = [i for i in range(len(snapshot.photos)) if snapshot.reason(i) == "outlier" and int(claimed[i]) in kept][
        number
    ]
    names = snapshot.photos.names
    name = names[snapshot.photos.claimed[row]]
    others = [names[code] for code in sorted(kept) if names[code] != name]
    return snapshot.photos.face_id(row), name, others


def _serious(results: Any) -> list[str]:
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in results["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def faults_of_pages(pages: Pages, face: str, name: str) -> dict[str, list[str]]:
    """The faults of every page that has some, and of a dialog."""
    faults = {}
    for place, wait_for in pages.places(face, name).items():
        pages.page.goto(f"{pages.base}/#/{place}")
        pages.page.wait_for_selector(wait_for, state="attached")
        faults[place] = pages.faults()
    pages.open(f"identity/{name}", ".face img")
    pages.page.keyboard.press("g")
    pages.page.wait_for_selector("dialog")
    faults["a dialog"] = pages.faults()
    pages.page.keyboard.press("Escape")
    return {place: found for place, found in faults.items() if found}
