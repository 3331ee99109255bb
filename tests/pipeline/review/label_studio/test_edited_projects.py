"""Projects that somebody edited, renamed or deleted on the server are restored or raise an error; none is misread."""

import pytest

from pipeline.errors import UserError
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.collect import collect_answers
from pipeline.review.label_studio.send import send_questions
from pipeline.review.questions.question import PAIR
from tests.builders.label_studio.review_pages import grid, ids, pair, pictures
from tests.builders.label_studio.sent_questions import on_server, post, project, review_of, sent_items, tasks

pytestmark = pytest.mark.server


def test_a_deleted_project_is_made_again_and_its_cursor_forgotten(server, ada):
    question = grid("a")
    post(server, "deleted", question)
    ada.answer(tasks(server, "deleted")[question.id].id, {"cell_0": "other"})
    answers, cursor = collect_answers(server, review_of("deleted"), {})
    StudioClient(server).sdk.projects.delete(project(server, "deleted").id)
    assert collect_answers(server, review_of("deleted"), cursor) == ([], {})
    assert post(server, "deleted", question) == (1, 0, 0)
    ada.answer(tasks(server, "deleted")[question.id].id, {"cell_0": "other"})
    again, _ = collect_answers(server, review_of("deleted"), cursor)
    assert again[0].answer_id != answers[0].answer_id


def test_a_project_that_is_deleted_while_questions_are_sent_is_made_again(server):
    question = grid("a")

    def deleting(faces, alone):
        for before in StudioClient(server).projects(review_of("deleted meanwhile")):
            if not deleted:
                deleted.append(StudioClient(server).sdk.projects.delete(before.id))
        return pictures(faces, alone)

    deleted = []
    review = review_of("deleted meanwhile")
    counts = send_questions(StudioClient(server), review, "all", [question], deleting, wanted_items=ids(question))
    assert counts == (1, 0, 0)
    assert deleted
    assert on_server(server, "deleted meanwhile") == {question.id: 1}


@pytest.mark.parametrize("answered", [False, True])
def test_a_page_that_was_edited_by_hand_is_restored(server, ada, answered):
    name, question = f"edited {answered}", pair("a")
    post(server, name, question)
    if answered:
        ada.answer(tasks(server, name, PAIR)[question.id].id, {"same": "same"})
    before = project(server, name, PAIR)
    edited = before.label_config.replace('value="cannot tell"', 'value="who knows"')
    StudioClient(server).sdk.projects.update(
        before.id, label_config=edited, maximum_annotations=7, description="our faces"
    )
    assert post(server, name, question, votes=3) == (0, 1, 0)
    now = project(server, name, PAIR)
    assert now.id == before.id
    assert now.label_config == before.label_config
    assert now.votes == 3
    assert now.description == "our faces"


def test_a_renamed_project_is_recognised(server):
    post(server, "renamed", grid("a"))
    before = project(server, "renamed")
    StudioClient(server).sdk.projects.update(before.id, title="Monday's faces")
    assert post(server, "renamed", grid("a")) == (0, 1, 0)
    assert project(server, "renamed").title == "Monday's faces"


def test_a_page_that_cannot_be_restored_raises_an_error(server, ada):
    question = pair("a")
    post(server, "spoilt", question)
    before = project(server, "spoilt", PAIR)
    other = '<View><Text name="title" value="$title"/><Choices name="odd" toName="title"><Choice value="x"/></Choices>'
    StudioClient(server).sdk.projects.update(before.id, label_config=f"{other}</View>")
    ada.answer(tasks(server, "spoilt", PAIR)[question.id].id, {"odd": "x"})
    with pytest.raises(UserError, match="its page was changed by hand and answered since; delete its instructions"):
        post(server, "spoilt", question)
    assert collect_answers(server, review_of("spoilt"), {})[0] == []


def test_tasks_that_somebody_edited_or_deleted_are_sent_again_and_never_misread(server, ada, caplog):
    reordered, answered, deleted = grid("a"), grid("b"), grid("c")
    post(server, "tasks", reordered, answered, deleted)
    client, sent = StudioClient(server), tasks(server, "tasks")

    def turn(question):
        data = client.sdk.tasks.get(str(sent[question.id].id)).data
        client.sdk.tasks.update(str(sent[question.id].id), data={**data, "items": data["items"][::-1]})

    turn(reordered)
    turn(answered)
    ada.answer(sent[answered.id].id, {"cell_0": "other"})
    client.sdk.tasks.delete(str(sent[deleted.id].id))
    with caplog.at_level("INFO", logger="refinery"):
        assert collect_answers(server, review_of("tasks"), {})[0] == []
    assert "1 answers left out: somebody edited" in caplog.text
    assert post(server, "tasks", reordered, answered, deleted) == (3, 0, 1)
    # the answered one is never touched
    assert on_server(server, "tasks") == {reordered.id: 1, answered.id: 2, deleted.id: 1}
    assert post(server, "tasks", reordered, answered, deleted) == (0, 3, 0)


def test_a_question_that_is_being_answered_is_not_withdrawn(server, ada):
    question = grid("a")
    post(server, "draft", question)
    task = tasks(server, "draft")[question.id].id
    csrf = {"X-CSRFToken": ada.web.cookies["csrftoken"]}
    begun = {
        "result": [{"from_name": "cell_0", "to_name": "face_0", "type": "choices", "value": {"choices": ["other"]}}]
    }
    ada.web.post(f"/api/tasks/{task}/drafts", json={**begun, "lead_time": 1}, headers=csrf).raise_for_status()
    assert post(server, "draft", wanted=set()) == (0, 0, 0)
    assert sent_items(server, review_of("draft")) == {"all": ids(question)}
