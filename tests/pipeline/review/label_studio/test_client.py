"""Questions are sent to a real Label Studio and answers collected from it, each exactly once."""

from datetime import timedelta

import pytest

from pipeline.review.label_studio import listing, send
from pipeline.review.label_studio.answer_cursor import AnswerCursor
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.collect import collect_answers, group_progress
from pipeline.review.questions.question import GRID, KINDS, NOBODY, PAIR
from tests.builders.label_studio.review_pages import grid, ids, pair
from tests.builders.label_studio.sent_questions import on_server, post, review_of, sent_items, tasks
from tests.builders.label_studio.simulated_annotators import Annotator

pytestmark = pytest.mark.server


def progress(server, name):
    """The numbers of a review by group and kind of page."""
    return group_progress(StudioClient(server).projects(review_of(name)), dict.fromkeys(KINDS, 10.0))


def test_sending_twice_adds_nothing_and_a_new_round_withdraws_only_what_nobody_answered(server, ada):
    first, second, third, fourth = grid("a"), grid("b"), pair("c"), grid("d")
    assert post(server, "rounds", first, second, third) == (3, 0, 0)
    assert post(server, "rounds", first, second, third) == (0, 3, 0)
    ada.answer(tasks(server, "rounds")[first.id].id, {"cell_0": "other"})
    assert post(server, "rounds", third, fourth) == (1, 1, 1)  # the second is gone, the first was answered
    assert sent_items(server, review_of("rounds")) == {"all": ids(first, third, fourth)}
    assert set(on_server(server, "rounds").values()) == {1}
    assert post(server, "rounds", wanted=set()) == (0, 0, 2)
    assert sent_items(server, review_of("rounds")) == {"all": ids(first)}


def test_each_group_has_projects_of_its_own(server):
    post(server, "groups", grid("a"), group="Asian")
    post(server, "groups", grid("b"), pair("c"), group="African")
    post(server, "groups of another review", grid("z"), group="African")
    assert sent_items(server, review_of("groups")) == {"Asian": ids(grid("a")), "African": ids(grid("b"), pair("c"))}
    queues = [(q.group, q.page, q.questions, q.answers) for q in progress(server, "groups")]
    assert queues == [("African", GRID, 1, 0), ("African", PAIR, 1, 0), ("Asian", GRID, 1, 0)]


def test_the_answers_of_two_annotators_come_once_each(server, ada, grace):
    photos, photo_pair = grid("a", cells=2), pair("b")
    post(server, "votes", photos, photo_pair)
    at, of = tasks(server, "votes")[photos.id].id, tasks(server, "votes", PAIR)[photo_pair.id].id
    assert collect_answers(server, review_of("votes"), {})[0] == []
    changed = ada.answer(at, {"cell_0": "other", "cell_1": "same", "knows": "yes"}, seconds=6)
    answers, cursor = collect_answers(server, review_of("votes"), {})
    assert [(a.item, a.choice, a.annotator, a.knows, a.seconds, a.question) for a in answers] == [
        ("a.0", "other", ada.email, True, 3.0, photos.id),
        ("a.1", "same", ada.email, True, 3.0, photos.id),
    ]
    assert answers[0].answer_id == answers[1].answer_id
    grace.answer(at, {"cell_0": "unsure", "cell_1": "unusable"})
    grace.answer(of, {"same": "different", "knows": "no"})
    later, cursor = collect_answers(server, review_of("votes"), cursor)
    assert [(a.item, a.choice, a.annotator, a.knows) for a in later] == [
        ("a.0", "unsure", grace.email, None),
        ("a.1", "unusable", grace.email, None),
        ("b.pair", "different", grace.email, False),
    ]
    assert collect_answers(server, review_of("votes"), cursor)[0] == []
    ada.answer(at, {"cell_0": "same", "cell_1": "same"}, instead_of=changed)
    again, cursor = collect_answers(server, review_of("votes"), cursor)
    assert [(a.item, a.choice, a.answer_id) for a in again] == [
        ("a.0", "same", answers[0].answer_id),
        ("a.1", "same", answers[0].answer_id),
    ]
    assert again[0].at > answers[0].at
    assert collect_answers(server, review_of("votes"), cursor) == ([], cursor)
    assert len(collect_answers(server, review_of("votes"), {})[0]) == 5
    assert [(q.answered, q.finished, q.answers) for q in progress(server, "votes")] == [(1, 1, 2), (1, 0, 1)]


def test_answers_after_the_servers_clock_was_put_back_are_collected(server, ada, grace):
    """The first answer was collected when the clock was an hour ahead; then the clock was put right."""
    first, second = grid("a", cells=1), grid("b", cells=1)
    post(server, "clock", first, second)
    ada.answer(tasks(server, "clock")[first.id].id, {"cell_0": "same"})
    _, cursor = collect_answers(server, review_of("clock"), {})
    ((key, text),) = cursor.items()
    kept = AnswerCursor.read(text)
    assert kept.read_until is not None
    ahead = kept._replace(
        read_until=kept.read_until + timedelta(hours=1),
        recent={i: t + timedelta(hours=1) for i, t in kept.recent.items()},
    )
    cursor = {key: ahead.write({})}
    assert collect_answers(server, review_of("clock"), cursor)[0] == []
    grace.answer(tasks(server, "clock")[second.id].id, {"cell_0": "other"})
    answers, cursor = collect_answers(server, review_of("clock"), cursor)
    assert ("b.0", "other", grace.email) in [(a.item, a.choice, a.annotator) for a in answers]
    assert collect_answers(server, review_of("clock"), cursor)[0] == []


def test_answers_of_deleted_accounts_stay_answers_of_their_own(server):
    question = grid("a", cells=1)
    post(server, "deleted accounts", question)
    for name, choice in (("one", "other"), ("two", "same")):
        account = Annotator(server.url, f"{name}.deleted@example.org")
        account.answer(tasks(server, "deleted accounts")[question.id].id, {"cell_0": choice})
        StudioClient(server).sdk.users.delete(account.number())
    answers, _ = collect_answers(server, review_of("deleted accounts"), {})
    assert [(a.annotator, a.choice) for a in answers] == [(NOBODY, "other"), (NOBODY, "same")]
    assert len({a.answer_id for a in answers}) == 2
    assert tasks(server, "deleted accounts")[question.id].finished


def test_answers_to_items_without_notes_come_again_until_the_log_has_them(server, ada):
    known, unknown = grid("a", cells=1), grid("b", cells=1)
    post(server, "notes", known, unknown)
    review = review_of("notes")
    for question in (known, unknown):
        ada.answer(tasks(server, "notes")[question.id].id, {"cell_0": "other"})
    both = ids(known, unknown)
    answers, cursor = collect_answers(server, review, {}, known_items=ids(known))
    assert {a.item for a in answers} == both
    again, cursor = collect_answers(server, review, cursor, known_items=both)
    assert {a.item for a in again} == both
    assert collect_answers(server, review, cursor, known_items=both)[0] == []


def test_more_questions_than_one_listing_holds(server, monkeypatch):
    monkeypatch.setattr(listing, "PAGE_SIZE", 4)
    monkeypatch.setattr(send, "BATCH", 3)
    questions = [pair(f"person {i}") for i in range(8)]
    assert post(server, "many", *questions) == (8, 0, 0)
    assert post(server, "many", *questions) == (0, 8, 0)
    assert sent_items(server, review_of("many")) == {"all": ids(*questions)}
