"""People in the loop: questions out to Label Studio, answers back into the ledger, labels made again with them."""

import logging
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.context import FlowRunContext

from flows.review.results import Collected, Queue, Sent, Status
from pipeline.errors import UserError
from pipeline.refined.labels import label_again
from pipeline.refinement import Refinement, latest
from pipeline.review.answers import ledger
from pipeline.review.answers.agreement import Agreement, by_annotator, by_group
from pipeline.review.answers.question_log import note, notes, understood
from pipeline.review.answers.votes import settle
from pipeline.review.groups import Known, propose, read_groups, read_roster
from pipeline.review.label_studio import client
from pipeline.review.questions.cases import Case
from pipeline.review.questions.gold import estimate, in_force
from pipeline.review.questions.pages import Sheet, shown
from pipeline.review.questions.photo_views import pictures
from pipeline.review.questions.round import Terms, draft
from pipeline.root_lock import root_lock
from pipeline.tables import storage

log = logging.getLogger("refinery")
OPINION = " · another opinion"
PROPOSED = "asked/proposed.json"
CURSOR = "asked/cursor.json"
LOCAL = "http://127.0.0.1:8080"
Root = Annotated[str, typer.Argument(metavar="ROOT", help="A finished refinement.")]
Url = Annotated[str, typer.Option(help="Label Studio; default: the one `review serve ROOT` started.")]
Name = Annotated[str, typer.Option(help="What the projects are called after; default: the root's name.")]


@flow(name="review-send", validate_parameters=False, persist_result=False)
def send(
    root: Root,
    url: Url = "",
    groups: Annotated[
        str, typer.Option(help="CSV or Parquet: identity, group and what else to show; one project a group.")
    ] = "",
    propose_groups: Annotated[
        bool, typer.Option("--propose-groups", help="Route identities without a group by vote of their neighbours.")
    ] = False,
    budget: Annotated[int, typer.Option(help="Items that wait for an answer at most; best first.")] = 500,
    minutes: Annotated[float, typer.Option(help="Of annotators' time that they take at most; 0: no limit.")] = 0.0,
    votes: Annotated[int, typer.Option(help="Annotators that answer each question; a third when two differ.")] = 2,
    audit: Annotated[int, typer.Option(help="Kept photos drawn at random, to estimate the noise left.")] = 200,
    roster: Annotated[str, typer.Option(help="CSV: group, annotator; who is assigned where the server can.")] = "",
    name: Name = "",
) -> Sent:
    """Send the questions that are worth most to Label Studio, each to the group that knows such faces."""
    if budget < 0 or votes < 1 or audit < 0:
        raise UserError(f"--budget {budget} --votes {votes} --audit {audit}: give 0 or more, and 1 vote at least")
    known = read_groups(groups) if groups else {}
    who = read_roster(roster) if roster else {}
    latest(root)  # where there is none, no lock is made either
    server, called = server_of(root, url), name or Path(root).absolute().name
    with root_lock(root):  # two who send at once would ask everything twice
        done = latest(root)
        if propose_groups:
            known |= _proposed(root, done, known)
        ledger.agree(root, votes=votes)
        there = client.asked(server, called)
        now = draft(
            root, done, {i for items in there.values() for i in items}, known, Terms(budget, minutes, votes, audit)
        )
        every = [(c, s.group) for s in now.sheets for c in s.cases]
        note(root, every)
        _remember(root, [c for c, _ in every], done)
        seen = pictures(done, shown(now.sheets))
        queues = []
        for sheets, g, more in _queues(now.sheets, there):
            sent = client.send(
                server,
                called,
                g,
                [s.question for s in sheets],
                lambda faces: {f: seen[f] for f in faces if f in seen},
                wanted=now.wanted,
                votes=1 if more else votes,
                media=_media(root, server.url),
                annotators=who.get(g.removesuffix(OPINION), []),
            )
            queues.append((g, sent))
        left: Counter[str] = Counter()
        for project in client.counts(server, called):
            left[project.group] += project.questions - project.finished
        of = Counter(c.purpose for c, _ in every)
        rows = [Queue(g, sent.new, sent.withdrawn, left[g]) for g, sent in queues]
        return Sent(rows, len(every), of["gold"], now.again, of["audit"], server.url)


def _proposed(root: str, done: Refinement, known: Mapping[str, Known]) -> dict[str, Known]:
    """Groups for identities without one; with each vote's share they are written down for who wants to look."""
    found = propose(root, done, known)
    storage.put_json(root, PROPOSED, {i: p._asdict() for i, p in found.items()})
    for group, n in Counter(p.group for p in found.values()).most_common():
        log.info("%d identities without a group go to %s, as most of their likest neighbours do", n, group)
    return {i: Known(p.group, i) for i, p in found.items()}


def _queues(sheets: Sequence[Sheet], there: Collection[str]) -> Iterator[tuple[list[Sheet], str, bool]]:
    """The pages of each group, and, where answers differ, those on which one more is wanted, on pages of their own:
    a page is finished with as many answers as its project asks for."""
    groups = {(s.group, s.again) for s in sheets} | {(g.removesuffix(OPINION), g.endswith(OPINION)) for g in there}
    for g, again in sorted(groups):
        yield [s for s in sheets if (s.group, s.again) == (g, again)], g + OPINION * again, again


def _remember(root: str, every: list[Case], done: Refinement) -> None:
    """The machine's own view of what was asked, marked as such: people overrule it, and it can be held against them."""
    label = f"policy/{done.decisions.address}"
    rows = [
        {**about, "verdict": c.guess, "who": "policy", "purpose": "policy", "belief": c.belief, "answer_id": label}
        for c in every
        if c.purpose != "gold"
        for about in (c.about, *c.also)
    ]
    ledger.append(root, rows)


@flow(name="review-collect", validate_parameters=False, persist_result=False)
def collect(root: Root, url: Url = "", name: Name = "") -> Collected:
    """Take the answers back: into the ledger, then into the labels."""
    server, called = server_of(root, url), name or Path(root).absolute().name
    mark = f"{server.url} {called}"
    cursors: dict[str, dict[str, str]] = storage.get_json(root, CURSOR) or {}
    answers, cursor = client.collect(server, called, cursors.get(mark, {}))
    rows, strange = understood(answers, notes(root))
    new = ledger.append(root, rows)
    storage.put_json(root, CURSOR, cursors | {mark: cursor})  # after the ledger: what is read twice is kept once
    settled = settle(ledger.read(root), votes=ledger.terms(root)["votes"])
    with root_lock(root):
        before = latest(root)
        after = label_again(root, settled.verdicts) if len(settled.verdicts) else before
    changed = after.labels.address != before.labels.address
    return Collected(
        new, strange, len(settled.verdicts), len(settled.disputed), len(settled.waiting), after.account.kept, changed
    )


@flow(name="review-status", validate_parameters=False, persist_result=False)
def status(root: Root, url: Url = "", name: Name = "") -> Status:
    """The queue of each group, how far annotators agree, and how much noise is left."""
    server, called = server_of(root, url), name or Path(root).absolute().name
    said = ledger.read(root)
    settled = settle(said, votes=ledger.terms(root)["votes"])
    sample = in_force(root).wrong_when
    found = estimate(sample, settled.verdicts)
    made = Status(
        [q._asdict() for q in client.counts(server, called)],
        _rows(by_group(said)),
        _rows(by_annotator(said)),
        len(settled.verdicts),
        len(settled.disputed),
        len(settled.waiting),
        found._asdict() if found else None,
        found.high if found else None,
        len(sample),
    )
    _show(made)
    return made


def _rows(found: list[Agreement]) -> list[dict[str, Any]]:
    return [a._asdict() for a in found]


def _show(made: Status) -> None:
    """The queue, the agreement and the audit on the run's page; nothing without a run."""
    if FlowRunContext.get() is None:
        return
    for key, rows in (("queue", made.queues), ("agreement", [*made.groups, *made.annotators])):
        if rows:
            create_table_artifact([{k: str(v) for k, v in r.items()} for r in rows], key=key)
    create_table_artifact([{"of": made.audit_of, **(made.audit or {})}], key="audit", description=made.lines()[-1])


def server_of(root: str, url: str) -> client.Server:
    """The server to talk to: as given, or the local one of this root; its token comes from the environment or a file.

    Raises UserError where there is no token.
    """
    local = Path(root).absolute() / "review" / "server"
    there = local / "url"
    url = (url or (there.read_text().strip() if there.exists() else LOCAL)).rstrip("/")
    token = os.environ.get("LABEL_STUDIO_API_KEY", "")
    file = local / "token"
    if not token and file.exists():
        token = file.read_text().strip()
    if not token:
        raise UserError(
            f"no token for {url}: set LABEL_STUDIO_API_KEY, or start a server with `refinery review serve {root}`"
        )
    return client.Server(url, token)


def _media(root: str, url: str) -> Path | None:
    """Where the local server of this root looks for pictures; a remote one gets them inside the questions."""
    there = Path(root).absolute() / "review" / "server" / "url"
    ours = "://" not in root and there.exists() and there.read_text().strip().rstrip("/") == url
    return Path(root).absolute() / "review" / "files" if ours else None
