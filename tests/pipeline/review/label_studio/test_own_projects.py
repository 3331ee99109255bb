"""A review finds its own projects on a server and leaves those of other roots alone."""

import json

import pytest

from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.page_data import task_data
from pipeline.review.label_studio.records import Review
from pipeline.review.label_studio.send import send_questions
from pipeline.review.questions.question import GRID
from pipeline.schema import digest
from tests.builders.label_studio.review_pages import NO_ADDRESSES, grid, ids, pictures
from tests.builders.label_studio.sent_questions import sent_items

pytestmark = pytest.mark.server
TEMPLATE = (
    '<View><Text name="title" value="$title"/><Repeater on="$items" indexFlag="{{at}}"><View>'
    '<Image name="face_{{at}}" value="$items[{{at}}].picture"/>'
    '<Choices name="cell_{{at}}" toName="face_{{at}}" value="$items[{{at}}].choices"/></View></Repeater></View>'
)


def send(server, review, *questions):
    return tuple(send_questions(StudioClient(server), review, "all", questions, pictures, wanted_items=ids(*questions)))


def test_two_roots_with_one_name_leave_each_others_questions_alone(server):
    one, other = Review("root", "id of one"), Review("root", "id of the other")
    assert send(server, one, grid("a"), grid("b")) == (2, 0, 0)
    assert send(server, other, grid("b"), grid("c")) == (2, 0, 0)
    assert send(server, one, grid("a"), grid("b")) == (0, 2, 0)
    assert send(server, other) == (0, 0, 2)
    assert sent_items(server, one) == {"all": ids(grid("a"), grid("b"))}
    assert sent_items(server, other) == {}
    assert not {p.id for p in StudioClient(server).projects(one)} & {p.id for p in StudioClient(server).projects(other)}


def project_of_an_earlier_version(server, name, *questions):
    """A project as earlier versions made it, with these questions; returns its id."""
    sdk = StudioClient(server).sdk
    mark = json.dumps({"group": "all", "name": name, "page": GRID}, sort_keys=True)
    made = sdk.projects.create(
        title=f"{name} · all · who does not belong?",
        description=f"face-refinery review: {mark}",
        label_config=TEMPLATE,
        maximum_annotations=2,
    )
    tasks = []
    for question in questions:
        data = task_data(question, NO_ADDRESSES)
        data["seal"] = digest("page", GRID, question.id, *(i.id for i in question.items))
        tasks.append({"data": data})
    sdk.projects.import_tasks(made.id, request=tasks)
    return made.id


def test_projects_of_an_earlier_version_are_adopted_by_the_root_that_sent_their_questions(server, ada):
    answered, unanswered = grid("a"), grid("b")
    number = project_of_an_earlier_version(server, "earlier", answered, unanswered)
    (task,) = [t for t in StudioClient(server).tasks(number) if t.question == answered.id]
    ada.answer(task.id, {"cell_0": "other"})
    stranger = Review("earlier", "id of another root", sent_items=ids(grid("z")))
    assert StudioClient(server).projects(stranger) == []
    assert send(server, stranger, grid("z")) == (1, 0, 0)
    owner = Review("earlier", "id of its root", sent_items=ids(answered, unanswered))
    assert [p.id for p in StudioClient(server).projects(owner)] == [number]
    # the page without an answer is sent in the form of this version
    assert send(server, owner, answered, unanswered) == (1, 1, 1)
    assert send(server, owner, answered, unanswered) == (0, 2, 0)
    (project,) = StudioClient(server).projects(Review("earlier", "id of its root"))
    assert project.id == number
    assert project.title == "who does not belong? (all)"
    assert "{" not in project.description
    assert len(StudioClient(server).projects(stranger)) == 1


def test_a_project_whose_answers_the_ledger_has_is_adopted_although_the_question_log_is_lost(server):
    number = project_of_an_earlier_version(server, "answered", grid("a"))
    client = StudioClient(server)
    (project,) = client.projects(Review("answered", "id", sent_items=ids(grid("a"))))
    assert project.id == number
    assert client.projects(Review("answered", "id")) == []
    assert client.projects(Review("answered", "id", answered_projects={project.key})) == [project]
