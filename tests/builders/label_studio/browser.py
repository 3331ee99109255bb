"""Annotators in a real browser: headless Chromium on the pages of Label Studio."""

from typing import Any

from tests.builders.label_studio.simulated_annotators import PASSWORD, Annotator

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = {"width": 1280, "height": 900}
SLOW_MS = 120_000  # where other tests run beside, a page may take half a minute


def logged_in(browser: Any, url: str, email: str) -> Any:
    """A browser page on which the annotator is logged in."""
    Annotator(url, email)
    page = browser.new_context(viewport=SIZE).new_page()
    page.set_default_timeout(SLOW_MS)
    page.goto(f"{url}/user/login")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/")
    return page


def stream(page: Any, url: str, project: int) -> None:
    """Open a project as annotators do, to answer its questions in turn; returns when the pictures are loaded."""
    page.goto(f"{url}/projects/{project}/data?labeling=1")
    page.wait_for_selector("text=ctrl+enter submits")  # the instructions come first
    page.keyboard.press("Escape")
    page.wait_for_selector("text=ctrl+enter submits", state="detached")
    shown = "[...document.querySelectorAll('.face')].map(f => f.querySelector('img'))"
    page.wait_for_function(f"{shown}.length && {shown}.every(i => i && i.complete && i.naturalWidth)")


def submitted(page: Any) -> None:
    """Wait until the server has stored the answer."""
    page.wait_for_selector("text=Annotation saved successfully")
