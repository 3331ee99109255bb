"""Annotators who know the truth and err at a given rate, for tests of a review."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flows.truth import read_truth, right_answer, who_is
from pipeline.refined.latest import Refinement
from pipeline.review.asked import notes
from pipeline.review.label_studio import Studio
from pipeline.review.pages import CELL, SAME
from pipeline.review.questions import PAIR
from pipeline.schema import digest
from tests.flows.browser import stream, submitted
from tests.label_server import Annotator, connection


class Oracle:
    """What somebody who knows everyone would choose, wrong at a rate that depends on who and what alone."""

    def __init__(self, root: str, done: Refinement, world: Path) -> None:
        truth = read_truth(world)
        self.person = who_is(done, truth)
        self.notes = {n["item"]: n for n in sorted(notes(root), key=lambda n: n["purpose"], reverse=True)}

    def verdict(self, item: str) -> str:
        """The right verdict on what an item asks."""
        note = self.notes[item]
        said = note["expected"] if note["purpose"] == "gold" else right_answer(note, self.person)
        assert said is not None, note
        return str(said)

    def choice(self, item: str, who: str, wrong: float) -> str:
        """What this annotator chooses."""
        note, said = self.notes[item], self.verdict(item)
        errs = np.random.default_rng(int(digest("errs", who, item), 16)).random() < wrong
        same = (said == note["same_means"]) != errs
        return "same" if same else ("different" if note["page"] == "pair" else "other")


def answer(local: Any, review: str, oracle: Oracle, who: str, *, wrong: float, at_most: int = 10**9) -> int:
    """Answer all that this annotator may still answer, through the server's interface; how many pages that were."""
    studio, annotator = Studio(connection(local)), Annotator(local.url, who)
    done = 0
    for project in studio.projects(review):
        for task in annotator.tasks(project.id):
            mine = [a for a in task["annotations"] if a["completed_by"] == annotator_id(annotator)]
            if mine or task["is_labeled"] or done >= at_most:
                continue
            annotator.answer(
                task["id"], chosen(task["data"], oracle, who, wrong), seconds=3.0 * len(task["data"]["items"])
            )
            done += 1
    return done


def chosen(data: Mapping[str, Any], oracle: Oracle, who: str, wrong: float) -> dict[str, str]:
    """The choices on one page, by the names that the page gives them."""
    ids = [i["id"] for i in data["items"]]
    if "right" in data:
        return {SAME: oracle.choice(ids[0], who, wrong)}
    return {f"{CELL}{at}": oracle.choice(i, who, wrong) for at, i in enumerate(ids)}


def answer_on_the_page(page: Any, local: Any, review: str, oracle: Oracle, who: str, *, kind: str, shot: Path) -> None:
    """Answer the first question of a kind (grid or pair) as this annotator in a browser; shot: how it looked then."""
    project = next(p for p in Studio(connection(local)).projects(review) if p.mark.page == kind)
    task = Annotator(local.url, who).web.get(f"/api/projects/{project.id}/next").json()
    stream(page, local.url, project.id)
    ids = [i["id"] for i in task["data"]["items"]]
    choices = [oracle.choice(i, who, 0.05) for i in ids]
    if kind == PAIR:
        page.keyboard.press({"same": "1", "different": "2"}[choices[0]])
    else:
        words = {"same": "this person", "other": "someone else"}
        assert page.locator(".cell").count() == len(ids)
        for at, choice in enumerate(choices):
            option = page.locator(".cell").nth(at).get_by_text(words[choice])
            option.evaluate("e => e.scrollIntoView({block: 'center'})")  # a bar lies over the lower edge of the page
            option.click(force=True)
    page.keyboard.press("y")
    page.screenshot(path=shot)
    page.keyboard.press("Control+Enter")
    submitted(page)


def annotator_id(annotator: Annotator) -> int:
    """The server's number of an annotator."""
    return int(annotator.web.get("/api/current-user/whoami").json()["id"])
