"""Simulated annotators of a drawn world: they know who is who, err at a given rate, and answer through Label Studio's
own interface as a browser does."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

from flows.sample.true_answers import true_persons
from pipeline.refined.known_truth import read_truth
from pipeline.refinement import Refinement
from pipeline.review.answers.question_log import notes
from pipeline.review.label_studio.client import Server, Studio
from pipeline.review.label_studio.page_templates import CELL, SAME
from pipeline.schema import digest

PASSWORD = "as-long-as-needed-1"


class Given(NamedTuple):
    """A page that was answered: the answer's id as the ledger knows it, and the items that the page asked about."""

    answer_id: str
    items: tuple[str, ...]


class Annotator:
    """Somebody with an account, who signs up where there is none yet."""

    def __init__(self, url: str, email: str) -> None:
        self.email, self.web = email, httpx.Client(base_url=url, follow_redirects=True, timeout=60, trust_env=False)
        for door in ("/user/login/", "/user/signup/"):
            self.web.get(door)
            form = {
                "email": email,
                "password": PASSWORD,
                "csrfmiddlewaretoken": self.web.cookies["csrftoken"],
                "allow_newsletters": "false",
                "how_find_us": "",
                "elaborate": "",
            }
            self.web.post(door, data=form, headers={"Referer": f"{url}{door}"})
            if self.web.get("/api/current-user/whoami").status_code == 200:
                return
        raise AssertionError(f"{email} cannot sign up at {url}")

    def number(self) -> int:
        """The server's number of this annotator."""
        return int(self.web.get("/api/current-user/whoami").json()["id"])

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """What there is to answer."""
        return list(
            self.web.get("/api/tasks/", params={"project": project, "page_size": 1000, "fields": "all"}).json()["tasks"]
        )

    def answer(self, task: int, choices: Mapping[str, str], *, seconds: float = 4.0, instead_of: int = 0) -> int:
        """Submit choices by the names that the page gives them; instead_of: an annotation that is changed."""
        result = [
            {"id": n, "from_name": n, "to_name": "title", "type": "choices", "value": {"choices": [c]}}
            for n, c in choices.items()
        ]
        body, headers = {"result": result, "lead_time": seconds}, {"X-CSRFToken": self.web.cookies["csrftoken"]}
        if instead_of:
            reply = self.web.patch(f"/api/annotations/{instead_of}/", json=body, headers=headers)
        else:
            reply = self.web.post(f"/api/tasks/{task}/annotations/", json=body, headers=headers)
        reply.raise_for_status()
        return int(reply.json()["id"])


class Oracle:
    """What somebody who knows everyone would choose, wrong at a rate that depends on who and what alone."""

    def __init__(self, root: str, done: Refinement, world: Path) -> None:
        truth = read_truth(world)
        self.person = true_persons(done, truth)
        self.notes = {n["item"]: n for n in sorted(notes(root), key=lambda n: str(n["purpose"]), reverse=True)}

    def verdict(self, item: str) -> str:
        """The right verdict on what an item asks."""
        note = self.notes[item]
        said = note["expected"] if note["purpose"] == "gold" else self.person.answer(note)
        assert said is not None, note
        return str(said)

    def choice(self, item: str, who: str, wrong: float) -> str:
        """What this annotator chooses."""
        note, said = self.notes[item], self.verdict(item)
        errs = np.random.default_rng(int(digest("errs", who, item), 16)).random() < wrong
        same = (said == note["same_means"]) != errs
        return "same" if same else ("different" if note["page"] == "pair" else "other")


def answer(server: Server, review: str, oracle: Oracle, who: str, *, wrong: float, at_most: int = 10**9) -> list[Given]:
    """Answer all that this annotator may still answer, through the server's interface; the pages that were answered."""
    annotator = Annotator(server.url, who)
    found: list[Given] = []
    for project, task in _open(Studio(server), annotator, review):
        if len(found) >= at_most:
            break
        ids = tuple(str(i["id"]) for i in task["data"]["items"])
        choices = chosen(task["data"], oracle, who, wrong)
        found.append(Given(f"{project}/{annotator.answer(task['id'], choices, seconds=3.0 * len(ids))}", ids))
    return found


def _open(studio: Studio, annotator: Annotator, review: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pages of a review that this annotator may still answer, each with its project's key."""
    number = annotator.number()
    for project in studio.projects(review):
        for task in annotator.tasks(project.id):
            if not task["is_labeled"] and number not in {a["completed_by"] for a in task["annotations"]}:
                yield project.key, task


def chosen(data: Mapping[str, Any], oracle: Oracle, who: str, wrong: float) -> dict[str, str]:
    """The choices on one page, by the names that the page gives them."""
    ids = [i["id"] for i in data["items"]]
    if "right" in data:
        return {SAME: oracle.choice(ids[0], who, wrong)}
    return {f"{CELL}{at}": oracle.choice(i, who, wrong) for at, i in enumerate(ids)}
