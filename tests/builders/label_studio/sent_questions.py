"""Questions sent to a real Label Studio, and read back from it."""

from collections import Counter, defaultdict

from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.records import Review
from pipeline.review.label_studio.send import send_questions, sent_tasks
from pipeline.review.questions.question import GRID
from tests.builders.label_studio.review_pages import ids, pictures


def review_of(name, **more):
    """A review with this name, of a root that all tests of the server share."""
    return Review(name, "root-of-the-tests", **more)


def post(server, name, *questions, group="all", wanted=None, **more):
    """Send questions; returns how many were new, existed already, and were withdrawn."""
    wanted_items = ids(*questions) if wanted is None else wanted
    client, review = StudioClient(server), review_of(name)
    return tuple(send_questions(client, review, group, questions, pictures, wanted_items=wanted_items, **more))


def sent_items(server, review):
    """The ids of the items of all questions of a review that stay on the server, by group."""
    items = defaultdict(set)
    client = StudioClient(server)
    for project, task in sent_tasks(client, client.projects(review)):
        items[project.mark.group].update(task.items)
    return dict(items)


def project(server, name, page=GRID, group="all"):
    """The project of a review for a page and a group."""
    (match,) = [p for p in StudioClient(server).projects(review_of(name)) if p.mark[:3] == (name, group, page)]
    return match


def tasks(server, name, page=GRID):
    """The tasks of a review's project for a page, by the ids of their questions."""
    studio = StudioClient(server)
    return {t.question: t for t in studio.tasks(project(server, name, page).id)}


def on_server(server, name):
    """The number of tasks of each question, over all projects of a review."""
    studio = StudioClient(server)
    return Counter(t.question for p in studio.projects(review_of(name)) for t in studio.tasks(p.id))
