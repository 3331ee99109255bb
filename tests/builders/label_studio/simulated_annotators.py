"""Simulated annotators of a drawn data set: they know the true persons and make errors at a given rate.

They answer through the HTTP interface that Label Studio offers to browsers.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

from flows.sample.true_answers import true_persons
from pipeline.refined.scoring.known_truth import read_truth
from pipeline.refinement import Refinement
from pipeline.review.answers.question_log import read_question_log
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.local_server import LocalServer
from pipeline.review.label_studio.page_data import read_results
from pipeline.review.label_studio.page_templates import CELL, SAME, TICK
from pipeline.review.label_studio.records import Review, Server
from pipeline.review.questions.question import MIXED
from pipeline.schema import digest

PASSWORD = "as-long-as-needed-1"
_invitations: dict[str, str] = {}  # addresses of sign-up pages with their key, by the address of the server
_sessions: dict[tuple[str, str], httpx.Client] = {}  # of accounts that are logged in, by server and email


class AnsweredPage(NamedTuple):
    """An answered page: the id of the answer in the ledger, and the items of the page that it answers."""

    answer_id: str
    items: tuple[str, ...]


def invite(local: LocalServer) -> None:
    """From now on annotators can make accounts on this server."""
    _invitations[local.url] = local.invitation.removeprefix(local.url)


class Annotator:
    """An account on a Label Studio server and its session; the account is made if it does not exist.

    A session that still holds is used again: to log in takes the server as long as ten questions.
    invited: whether the annotator has the link to the sign-up page; invite() has given it to the tests.
    """

    def __init__(self, url: str, email: str, *, invited: bool = True) -> None:
        self.email = email
        if (url, email) in _sessions and _sessions[url, email].get("/api/current-user/whoami").status_code == 200:
            self.web = _sessions[url, email]
            return
        self.web = httpx.Client(base_url=url, follow_redirects=True, timeout=60, trust_env=False, verify=False)
        signup = _invitations.get(url, "/user/signup/") if invited else "/user/signup/"
        for page in ("/user/login/", signup):
            self.web.get(page)
            form = {
                "email": email,
                "password": PASSWORD,
                "csrfmiddlewaretoken": self.web.cookies["csrftoken"],
                "allow_newsletters": "false",
                "how_find_us": "",
                "elaborate": "",
            }
            # answered by the way to the pages, which take the server long to draw
            headers = {"Referer": f"{url}{page}"}
            if self.web.post(page, data=form, headers=headers, follow_redirects=False).is_redirect:
                _sessions[url, email] = self.web
                return
        raise AssertionError(f"{email} cannot sign up at {url}")

    def number(self) -> int:
        """The server's number of this annotator."""
        return int(self.web.get("/api/current-user/whoami").json()["id"])

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """All tasks of a project, with their annotations."""
        return list(
            self.web.get("/api/tasks/", params={"project": project, "page_size": 1000, "fields": "all"}).json()["tasks"]
        )

    def open_tasks(self, project: int) -> list[dict[str, Any]]:
        """The tasks of a project that this annotator may still answer, without their annotations."""
        query = {"project": project, "page_size": 1000, "review": True}  # the annotators alone: lists them far faster
        number, tasks = self.number(), self.web.get("/api/tasks/", params=query).json()["tasks"]
        return [t for t in tasks if not t["is_labeled"] and number not in t["annotators"]]

    def answer(self, task: int, choices: Mapping[str, str], *, seconds: float = 4.0, instead_of: int = 0) -> int:
        """Submit choices, by the page's names for them; returns the annotation's number.

        instead_of: the number of an annotation to change.
        """
        body, headers = (
            {"result": results(choices), "lead_time": seconds},
            {"X-CSRFToken": self.web.cookies["csrftoken"]},
        )
        if instead_of:
            reply = self.web.patch(f"/api/annotations/{instead_of}/", json=body, headers=headers)
        else:
            reply = self.web.post(f"/api/tasks/{task}/annotations/", json=body, headers=headers)
        reply.raise_for_status()
        return int(reply.json()["id"])


def results(choices: Mapping[str, str]) -> list[dict[str, Any]]:
    """Choices, by the page's names for them, as Label Studio stores them."""
    return [
        {"id": n, "from_name": n, "to_name": "title", "type": "choices", "value": {"choices": [c]}}
        for n, c in choices.items()
    ]


class Oracle:
    """The right choice on every item of a review, and the choices of annotators who make errors.

    Whether an annotator is wrong on an item depends only on the annotator and the item, so every run is the same.
    """

    def __init__(self, root: str, refinement: Refinement, world: Path) -> None:
        truth = read_truth(world)
        self.persons = true_persons(refinement, truth)
        self.log = {i.item: i for i in sorted(read_question_log(root), key=lambda i: i.purpose, reverse=True)}

    def verdict(self, item: str) -> str:
        """The right verdict on an item's finding."""
        logged = self.log[item]
        verdict = logged.expected if logged.purpose == "gold" else self.persons.answer(logged.finding)
        assert verdict is not None, logged
        return verdict

    def choice(self, item: str, annotator: str, wrong: float) -> str:
        """The choice of an annotator; wrong: the annotator's error rate."""
        logged, verdict = self.log[item], self.verdict(item)
        errs = np.random.default_rng(int(digest("errs", annotator, item), 16)).random() < wrong
        same = (verdict == logged.same_means) != errs
        return "same" if same else ("other" if logged.finding.kind == "outlier" else "different")


def answer(
    server: Server, review: Review, oracle: Oracle, annotator: str, *, wrong: float, at_most: int = 10**9
) -> list[AnsweredPage]:
    """Answer the open pages of a review as an annotator (an email); returns the answered pages.

    wrong: the annotator's error rate; at_most: the largest number of pages.
    """
    account = Annotator(server.url, annotator)
    answered: list[AnsweredPage] = []
    for project, task in _open(StudioClient(server), account, review):
        if len(answered) >= at_most:
            break
        ids = tuple(str(i["id"]) for i in task["data"]["items"])
        choices = chosen(task["data"], oracle, annotator, wrong)
        number = account.answer(task["id"], choices, seconds=3.0 * len(ids))
        read = read_results(task["data"], results(choices))
        answered.append(AnsweredPage(f"{project}/{number}", tuple(read.choices)))
    return answered


def _open(studio: StudioClient, account: Annotator, review: Review) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pages of a review that this annotator may still answer, each with its project's key."""
    for project in studio.projects(review):
        for task in account.open_tasks(project.id):
            yield project.key, task


def chosen(data: Mapping[str, Any], oracle: Oracle, annotator: str, wrong: float) -> dict[str, str]:
    """The choices of an annotator on one page, by the names that the page gives them."""
    ids = [i["id"] for i in data["items"]]
    if data["page"] == MIXED:
        if oracle.choice(ids[0], annotator, wrong) == "different":
            return {SAME: "different"}
        choices = [oracle.choice(i, annotator, wrong) for i in ids[1:]]
        return {f"{TICK}{at}": "same" for at, choice in enumerate(choices) if choice == "same"}
    if "right" in data:
        return {SAME: oracle.choice(ids[0], annotator, wrong)}
    return {f"{CELL}{at}": oracle.choice(i, annotator, wrong) for at, i in enumerate(ids)}
