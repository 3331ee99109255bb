"""One round of questions sent to Label Studio: planned, logged, then put on each group's pages."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from flows.review.results import GroupQueue, SentQuestions
from flows.review.root_review import collect_cursors, deleted_projects, remember_projects
from flows.review.root_server import media_folder
from pipeline.refinement import Refinement
from pipeline.review.answers import ledger
from pipeline.review.answers.machine_views import findings_with_belief, machine_views
from pipeline.review.answers.question_log import log_questions, read_question_log
from pipeline.review.groups import GroupedIdentity, propose_groups
from pipeline.review.label_studio.answer_cursor import AnswerCursor
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.records import Project, Review, SendCounts, SentTask, Server
from pipeline.review.label_studio.send import send_questions, sent_tasks
from pipeline.review.pages.compose import GroupQuestion, shown_faces
from pipeline.review.pages.photo_views import read_face_views
from pipeline.review.pages.sent_cases import cases_of_sent_items
from pipeline.review.questions.case import Case
from pipeline.review.questions.question import MIXED
from pipeline.review.round import Round, RoundLimits, plan_round
from pipeline.tables import storage

log = logging.getLogger("refinery")
REPEATED = " · another opinion"  # ends the group's name of projects whose questions go to one more annotator
LARGE_PHOTO_PX = 1600  # longest side of a large photo in a folder; a task that holds its pictures has smaller ones
LARGE_PHOTO_IN_TASK_PX = 640
PROPOSED_FILE = "asked/proposed.json"


def send_round(
    refinement: Refinement,
    client: StudioClient,
    server: Server,
    review: Review,
    *,
    limits: RoundLimits,
    known: Mapping[str, GroupedIdentity],
    annotators: Mapping[str, Sequence[str]],
) -> SentQuestions:
    """Send the questions that are worth most, and withdraw questions that are no longer needed.

    client: a connection to the server; known: groups and titles of identities; annotators: by group, emails to whom
    questions are assigned where the server can.
    """
    root = refinement.root
    ledger.set_votes_wanted(root, limits.votes)
    present = client.projects(review)
    sent = sent_tasks(client, present)
    deleted = deleted_projects(root, server, review, present)
    lost = cases_of_sent_items(refinement, sent, known_items=review.sent_items)  # the question log was lost
    restored = [(case, of.project.mark.group.removesuffix(REPEATED)) for of, case in lost]
    _log_cases(refinement, restored)
    finished = _finished_pages(sent, collect_cursors(root, server, review))
    planned = plan_round(
        refinement,
        {i for s in sent for i in s.task.items},
        known,
        limits,
        finished_pages=finished,
        waiting_gold=_waiting_gold(root, sent),
    )
    cases = [(case, question.group) for question in planned.questions for case in question.cases]
    _log_cases(refinement, cases)
    counts = _send_by_project(
        refinement, planned, client, review, annotators=annotators, votes=limits.votes, projects=present
    )
    present = client.projects(review)
    remember_projects(root, server, review, present)
    waiting: Counter[str] = Counter()
    for project in present:
        waiting[project.mark.group] += project.progress.questions - project.progress.finished
    queues = [GroupQueue(group, n.new, n.withdrawn, waiting[group]) for group, n in counts.items()]
    on_server = {s.task.question for s in sent}
    new = [q for q in planned.questions if q.question.id not in on_server]
    purposes = Counter(case.purpose for q in new for case in q.cases)
    asked = sum(1 if q.question.page == MIXED else len(q.cases) for q in new)
    return SentQuestions(
        queues,
        asked,
        purposes["gold"],
        sum(q.repeated for q in new),
        purposes["audit"],
        server.url,
        restored=len(restored),
        deleted=deleted,
        community=client.edition() != "Enterprise",
    )


def _log_cases(refinement: Refinement, cases: Sequence[tuple[Case, str]]) -> None:
    """Log cases, each with its group, and the machine's view of them."""
    if not cases:
        return
    root = refinement.root
    log_questions(root, cases)
    known = findings_with_belief(ledger.read(root))
    views = machine_views((case for case, _ in cases), answer_id=f"policy/{refinement.decisions.address}", known=known)
    ledger.append(root, views)


def _finished_pages(sent: Sequence[SentTask], cursors: Mapping[str, str]) -> dict[str, int]:
    """By id of an item the number of its pages on the server, if all are finished and all their answers collected."""
    pages: Counter[str] = Counter()
    unfinished = set[str]()
    for project, task in sent:
        collected = AnswerCursor.read(cursors.get(project.key, "")).on_server == project.progress.answers
        pages.update(task.items)
        if not (task.finished and collected):
            unfinished.update(task.items)
    return {item: n for item, n in pages.items() if item not in unfinished}


def _waiting_gold(root: str, sent: Sequence[SentTask]) -> int:
    """The number of gold questions on the server that still wait for an answer."""
    gold = {item.item for item in read_question_log(root) if item.purpose == "gold"}
    return len(gold & {item for of in sent if not of.task.finished for item in of.task.items})


def _send_by_project(
    refinement: Refinement,
    planned: Round,
    client: StudioClient,
    review: Review,
    *,
    annotators: Mapping[str, Sequence[str]],
    votes: int,
    projects: Sequence[Project],
) -> dict[str, SendCounts]:
    """Send questions project by project: the counts by the project's group; projects: those on the server."""
    views = read_face_views(refinement, shown_faces(planned.questions))
    media = media_folder(refinement.root, client.url)
    large_px = LARGE_PHOTO_PX if media else LARGE_PHOTO_IN_TASK_PX
    counts = {}
    for project_group, repeated, questions in _by_project(
        planned, {p.mark.group for p in projects if p.progress.questions}
    ):
        counts[project_group] = send_questions(
            client,
            review,
            project_group,
            [q.question for q in questions],
            partial(views.pictures, large_px=large_px),
            wanted_items=planned.wanted_items,
            projects=projects,
            votes=1 if repeated else votes,
            media=media,
            annotators=annotators.get(project_group.removesuffix(REPEATED), ()),
        )
    return counts


def _by_project(planned: Round, sent_groups: Collection[str]) -> Iterator[tuple[str, bool, list[GroupQuestion]]]:
    """For each project its group, whether its questions are repeated ones, and its questions.

    sent_groups: groups of the projects on the server. Repeated questions (to one more annotator) have projects of their
    own, because the number of answers after which a page is finished is set for a whole project.
    """
    groups = {(q.group, q.repeated) for q in planned.questions}
    groups |= {(group.removesuffix(REPEATED), group.endswith(REPEATED)) for group in sent_groups}
    for group, repeated in sorted(groups):
        questions = [q for q in planned.questions if (q.group, q.repeated) == (group, repeated)]
        yield group + REPEATED * repeated, repeated, questions


def with_proposed_groups(refinement: Refinement, known: Mapping[str, GroupedIdentity]) -> dict[str, GroupedIdentity]:
    """The known identities, and those without a group in the group that most of their nearest neighbours have.

    The proposals are written to ROOT/asked/proposed.json, each with its share of the votes.
    """
    proposals = propose_groups(refinement, known)
    storage.put_json(refinement.root, PROPOSED_FILE, {i: p._asdict() for i, p in proposals.items()})
    for group, n in Counter(p.group for p in proposals.values()).most_common():
        log.info("%d identities without a group go to %s, as most of their nearest neighbours do", n, group)
    return dict(known) | {i: GroupedIdentity(p.group, i) for i, p in proposals.items()}
