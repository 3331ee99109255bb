"""One round of questions sent to Label Studio: planned, logged, then put on each group's pages."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from flows.review.results import GroupQueue, SentQuestions
from flows.review.root_server import media_folder
from pipeline.refinement import Refinement
from pipeline.review.answers import ledger
from pipeline.review.answers.machine_views import machine_views
from pipeline.review.answers.question_log import log_questions
from pipeline.review.groups import GroupedIdentity, propose_groups
from pipeline.review.label_studio.collect import review_progress
from pipeline.review.label_studio.records import SendCounts, Server
from pipeline.review.label_studio.send import send_questions, sent_items
from pipeline.review.pages.compose import GroupQuestion, shown_faces
from pipeline.review.pages.photo_views import face_pictures
from pipeline.review.round import Round, RoundLimits, plan_round
from pipeline.tables import storage

log = logging.getLogger("refinery")
REPEATED = " · another opinion"  # ends the group's name of projects whose questions go to one more annotator
PROPOSED_FILE = "asked/proposed.json"


def send_round(
    refinement: Refinement,
    server: Server,
    name: str,
    *,
    limits: RoundLimits,
    known: Mapping[str, GroupedIdentity],
    annotators: Mapping[str, Sequence[str]],
) -> SentQuestions:
    """Send the questions that are worth most, and withdraw questions that are no longer needed.

    name: of the review; known: groups and titles of identities; annotators: by group, emails to whom questions are
    assigned where the server can.
    """
    root = refinement.root
    ledger.set_votes_wanted(root, limits.votes)
    sent = sent_items(server, name)
    planned = plan_round(refinement, set().union(*sent.values()), known, limits)
    cases = [(case, question.group) for question in planned.questions for case in question.cases]
    log_questions(root, cases)
    views = machine_views((case for case, _ in cases), answer_id=f"policy/{refinement.decisions.address}")
    ledger.append(root, views)
    counts = _send_by_project(refinement, planned, server, name, annotators=annotators, votes=limits.votes, sent=sent)
    waiting: Counter[str] = Counter()
    for progress in review_progress(server, name):
        waiting[progress.group] += progress.questions - progress.finished
    queues = [GroupQueue(group, n.new, n.withdrawn, waiting[group]) for group, n in counts.items()]
    purposes = Counter(case.purpose for case, _ in cases)
    return SentQuestions(queues, len(cases), purposes["gold"], planned.repeated, purposes["audit"], server.url)


def _send_by_project(
    refinement: Refinement,
    planned: Round,
    server: Server,
    name: str,
    *,
    annotators: Mapping[str, Sequence[str]],
    votes: int,
    sent: Collection[str],
) -> dict[str, SendCounts]:
    """Send questions project by project: the counts by the project's group; sent: groups of projects on the server."""
    pictures = face_pictures(refinement, shown_faces(planned.questions))
    counts = {}
    for project_group, repeated, questions in _by_project(planned, sent):
        counts[project_group] = send_questions(
            server,
            name,
            project_group,
            [q.question for q in questions],
            lambda faces: {f: pictures[f] for f in faces if f in pictures},
            wanted_items=planned.wanted_items,
            votes=1 if repeated else votes,
            media=media_folder(refinement.root, server.url),
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
