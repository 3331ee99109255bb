"""Questions on a real Label Studio: sent, and looked for there."""

from collections import Counter

from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.project_mark import ProjectMark
from pipeline.review.label_studio.send import send_questions
from pipeline.review.questions.question import GRID
from tests.builders.label_studio.review_pages import ids, pictures


def post(server, name, *questions, group="all", wanted=None, **more):
    """Send questions; how many were new, there already, and withdrawn."""
    there = ids(*questions) if wanted is None else wanted
    return tuple(send_questions(server, name, group, questions, pictures, wanted_items=there, **more))


def project(server, name, page=GRID, group="all"):
    """The one project of a review, a page and a group."""
    (found,) = [p for p in StudioClient(server).projects(name) if p.mark == ProjectMark(name, group, page)]
    return found


def tasks(server, name, page=GRID):
    """The tasks of that project by the ids of their questions."""
    studio = StudioClient(server)
    return {t.question: t for t in studio.tasks(project(server, name, page).id)}


def on_server(server, name):
    """How often each question is there, in every project of a review."""
    studio = StudioClient(server)
    return Counter(t.question for p in studio.projects(name) for t in studio.tasks(p.id))
