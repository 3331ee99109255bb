"""An annotator of a drawn data set who answers in a browser, for tests of a review."""

from pathlib import Path
from typing import Any

from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.records import Review
from pipeline.review.questions.question import PAIR
from tests.builders.label_studio.browser import stream, submitted
from tests.builders.label_studio.label_server import connection
from tests.builders.label_studio.simulated_annotators import Annotator, Oracle


def answer_on_the_page(
    page: Any, local: Any, review: Review, oracle: Oracle, annotator: str, *, kind: str, screenshot: Path
) -> None:
    """Answer the first question of a kind (grid or pair) in a browser; screenshot: a file of the answered page."""
    project = next(p for p in StudioClient(connection(local)).projects(review) if p.mark.page == kind)
    task = Annotator(local.url, annotator).web.get(f"/api/projects/{project.id}/next").json()
    stream(page, local.url, project.id)
    ids = [i["id"] for i in task["data"]["items"]]
    choices = [oracle.choice(i, annotator, 0.05) for i in ids]
    if kind == PAIR:
        key, words = {"same": ("1", "the same person"), "different": ("2", "two different people")}[choices[0]]
        if not page.get_by_label(words).is_checked():  # pressed again, the key takes back what the machine has set
            page.keyboard.press(key)
        assert page.get_by_label(words).is_checked()
    else:
        words = {"same": "this person", "other": "someone else"}
        assert page.locator(".cell").count() == len(ids)
        for at, choice in enumerate(choices):
            option = page.locator(".cell").nth(at).get_by_text(words[choice], exact=True)
            option.evaluate("e => e.scrollIntoView({block: 'center'})")  # a bar lies over the lower edge of the page
            option.click(force=True)
    page.keyboard.press("y")
    page.screenshot(path=screenshot)
    page.keyboard.press("Control+Enter")
    submitted(page)
