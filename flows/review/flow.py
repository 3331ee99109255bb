"""`refinery review`: sends questions to Label Studio, collects answers into the ledger, and makes the labels again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from flows.cli.options import Groups, Root
from flows.cli.review_options import Audit, Budget, Minutes, ProjectName, ProposeGroups, Roster, Url, Votes
from flows.prefect_runtime.artifacts import publish_table
from flows.prefect_runtime.recorded_flow import recorded_flow
from flows.review.erased_tasks import finish_erased_tasks
from flows.review.results import CollectedAnswers, ReviewStatus, SentQuestions
from flows.review.root_review import (
    collect_cursors,
    deleted_projects,
    keep_cursors,
    remember_projects,
    root_review,
)
from flows.review.root_server import server_of
from flows.review.sending import send_round, with_proposed_groups
from pipeline.errors import UserError, check_all
from pipeline.refined.fate_changes import fate_changes
from pipeline.refined.labels import label_again
from pipeline.refinement import latest
from pipeline.review.answers import ledger
from pipeline.review.answers.agreement import by_annotator, by_group
from pipeline.review.answers.pace import seconds_per_page
from pipeline.review.answers.question_log import read_question_log, to_ledger_rows
from pipeline.review.answers.votes import given_answers, settle, settled_verdicts
from pipeline.review.groups import GroupedIdentity, groups_in_data, read_groups, read_roster
from pipeline.review.label_studio.client import StudioClient
from pipeline.review.label_studio.collect import group_progress, read_projects
from pipeline.review.label_studio.records import Server
from pipeline.review.questions.audit import current_audit, estimate_noise
from pipeline.review.round import RoundLimits
from pipeline.root_lock import root_lock


class SendInputs(NamedTuple):
    """What `review send` reads before it locks the root: identities with a group, annotators by group, the server."""

    known: Mapping[str, GroupedIdentity]
    annotators: Mapping[str, Sequence[str]]
    server: Server

    @classmethod
    def read(cls, options: Mapping[str, Any], *, refined: bool = True) -> "SendInputs":
        """Read what the options name. Raises UserError with every mistake in them.

        refined: whether there must be a refinement to ask about already.
        """
        root, url, groups, roster = (options[name] for name in ("root", "url", "groups", "roster"))
        return cls(
            *check_all(
                lambda: read_groups(groups) if groups else {},
                lambda: read_roster(roster) if roster else {},
                lambda: server_of(root, url),
                lambda: _check_counts(options["budget"], options["votes"], options["audit"]),
                lambda: refined and latest(root),  # raises before a lock file is made where there is no refinement
            )[:3]
        )


def _check_counts(budget: int, votes: int, audit: int) -> None:
    if budget < 0 or votes < 1 or audit < 0:
        raise UserError(f"--budget {budget} --votes {votes} --audit {audit}: give 0 or more, and 1 vote at least")


def _check_server(options: Mapping[str, Any]) -> None:
    """Raise UserError where there is no refinement to review, or no token for the server."""
    check_all(lambda: latest(options["root"]), lambda: server_of(options["root"], options["url"]))


@recorded_flow("review-send", check=SendInputs.read)
def send(
    root: Root,
    *,
    url: Url = "",
    groups: Groups = "",
    propose_groups: ProposeGroups = False,
    budget: Budget = 500,
    minutes: Minutes = 0.0,
    votes: Votes = 2,
    audit: Audit = 200,
    roster: Roster = "",
    name: ProjectName = "",
) -> SentQuestions:
    """Send the questions that are worth most to Label Studio, each to the group that knows such faces."""
    inputs = {"root": root, "url": url, "groups": groups, "roster": roster}
    known, annotators, server = SendInputs.read(inputs | {"budget": budget, "votes": votes, "audit": audit})
    limits = RoundLimits(budget, minutes, votes, audit)
    with root_lock(root):  # two rounds at once would send every question twice
        refinement = latest(root)
        known = groups_in_data(refinement, known) if known else known
        known = with_proposed_groups(refinement, known) if propose_groups else known
        client = StudioClient(server)  # raises where no server answers, before the root gets an id
        review = root_review(root, name, sends=True)
        finish_erased_tasks(root, client, server, review)
        return send_round(refinement, client, server, review, limits=limits, known=known, annotators=annotators)


@recorded_flow("review-collect", check=_check_server)
def collect(root: Root, url: Url = "", name: ProjectName = "") -> CollectedAnswers:
    """Collect the answers: into the ledger, then into the labels."""
    server, review = server_of(root, url), root_review(root, name)
    client = StudioClient(server)
    with root_lock(root):
        finish_erased_tasks(root, client, server, review)
    present, cursors = client.projects(review), collect_cursors(root, server, review)
    answers, cursors = read_projects(client, present, cursors, known_items=review.sent_items)
    rows, unknown = to_ledger_rows(answers, read_question_log(root))
    earlier = ledger.answers_of_people(ledger.read(root, superseded=True))
    new = given_answers(rows) - given_answers(ledger.rows_of(earlier))
    added = ledger.append(root, rows)
    # written after the ledger: after a crash in between, answers are read again, and the ledger keeps each once
    keep_cursors(root, server, review, cursors)
    deleted = deleted_projects(root, server, review, present)
    remember_projects(root, server, review, present)
    settlement = settle(ledger.read(root), votes=ledger.votes_wanted(root))
    with root_lock(root):
        before = latest(root)
        after = label_again(root, settled_verdicts) if len(settlement.verdicts) else before
        changes = fate_changes(before, after)
    return CollectedAnswers(
        len(new),
        unknown,
        len(settlement.verdicts),
        len(settlement.disputed),
        len(settlement.waiting),
        after.account.kept,
        changed=after.labels.address != before.labels.address,
        kept_before=before.account.kept,
        changes=changes,
        deleted=deleted,
        again=added - len(new),
    )


@recorded_flow("review-status", check=_check_server)
def status(root: Root, url: Url = "", name: ProjectName = "") -> ReviewStatus:
    """Show the queue of each group, the agreement of annotators, and the noise left."""
    server, review = server_of(root, url), root_review(root, name)
    client = StudioClient(server)
    with root_lock(root):
        finish_erased_tasks(root, client, server, review)
    answers = ledger.read(root)
    settlement = settle(answers, votes=ledger.votes_wanted(root))
    sample = current_audit(root)
    noise = estimate_noise(sample, settlement.verdicts)
    projects = client.projects(review)
    result = ReviewStatus(
        group_progress(projects, seconds_per_page(answers)),
        by_group(answers),
        by_annotator(answers),
        len(settlement.verdicts),
        len(settlement.disputed),
        len(settlement.waiting),
        noise,
        noise.high if noise else None,
        len(sample.cases),
        audit_judged_before=len(sample.judged_before),
        deleted=deleted_projects(root, server, review, projects),
    )
    _show(result, root)
    return result


def _show(status: ReviewStatus, root: str) -> None:
    """The queue, the agreement and the audit as artifacts of the Prefect run; nothing without a run."""
    agreement = [asdict(record) for record in (*status.groups, *status.annotators)]
    audit = {"of": status.audit_drawn} | (asdict(status.audit) if status.audit else {})
    publish_table([asdict(q) for q in status.queues], "queue", root, description="Questions and answers of each group")
    publish_table(agreement, "agreement", root, description="How well annotators agree")
    publish_table([audit], "audit", root, description=status.audit_line())
