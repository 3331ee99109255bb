"""`refinery erase`: removes a person from a refinement on request, with a receipt."""

import re
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import DaskWorkers, Far, OutFile, Root, Yes
from flows.cli.out_file import check_out
from flows.cli.review_options import Url
from flows.cli.sizes import parse_workers
from flows.erase.planning import plan
from flows.erase.removal import carry_out
from flows.erase.results import ErasedPerson, FoundPerson, RemovedTasks
from flows.erase.selection import Person, select
from flows.erase.sheet import GENERATOR, write_sheet
from flows.refine.calibration.groups import groups_of
from flows.refine.request import RefineRequest
from flows.review.erased_tasks import remove_erased_tasks
from pipeline.erasure.intent import Intent, read_intent, write_intent
from pipeline.erasure.open_tasks import open_items
from pipeline.errors import UserError
from pipeline.faces.tombstones.tombstones import FOLDER
from pipeline.lost_answers import check_answers
from pipeline.refinement import latest
from pipeline.root_lock import root_lock

PhotoOfPerson = Annotated[
    str, typer.Option("--photo", help="A photo that shows the person alone: who is to be erased.")
]
Identity = Annotated[str, typer.Option(help="Or an identity: the person whom it stands for, under any name.")]
ListFile = Annotated[Path | None, typer.Option("--list", help="Or a list of photos, one a line; nothing is searched.")]

KeepVector = Annotated[
    bool,
    typer.Option("--keep-vector", help="Keep the mean of the person's vectors, by which --again finds further photos."),
]
Again = Annotated[
    bool, typer.Option("--again", help="Or all people whose vectors were kept: their photos that have come in since.")
]


def erase(
    root: Root,
    *,
    photo: PhotoOfPerson = "",
    identity: Identity = "",
    list_file: ListFile = None,
    reason: Annotated[str, typer.Option(help="Why, for the receipt.")] = "",
    person: Annotated[str, typer.Option(help="The person's name for the receipt; default: none is in it.")] = "",
    far: Far = 1e-4,
    out: OutFile = Path("erase.html"),
    keep_vector: KeepVector = False,
    again: Again = False,
    yes: Yes = False,
    url: Url = "",
    workers: DaskWorkers = "",
) -> FoundPerson | ErasedPerson | RemovedTasks:
    """Erase a person on request: find every photo, show it, and with --yes remove it and write a receipt.

    Faces, vectors and sketches go from all tables, and erased photos do not come in again. With --yes alone, an erasure
    that was stopped is finished, and tasks are removed from a Label Studio that did not answer before.
    """
    refinement, pool = latest(root), parse_workers(workers)
    who = Person(photo, identity, str(list_file or ""), far, again)
    nobody = not (photo or identity or list_file or again)
    if not yes:
        check_out(out, re.compile(re.escape(GENERATOR.encode())), kind="a sheet of `refinery erase`", roots=[root])
        planned = plan(refinement, select(refinement, who))
        write_sheet(out, planned.faces(), planned.paths())
        return FoundPerson(planned.found(), str(out))
    with root_lock(root):
        stopped = read_intent(root)
        if stopped is None and nobody and open_items(root):
            return RemovedTasks(remove_erased_tasks(root, url))
        in_force = latest(root)
        groups = groups_of(in_force.groups)
        request = RefineRequest.of_record(root, in_force.options.request, groups=groups, workers=pool)
        intent = stopped or _intent(root, who, reason=reason, person=person, keep_vector=keep_vector)
        refinement, receipt, tasks = carry_out(root, intent, request, lambda: remove_erased_tasks(root, url))
    file = f"{root}/{FOLDER}/{receipt.erasure}.receipt.txt"
    another = stopped is not None and not nobody and reason != stopped.reason
    return ErasedPerson(receipt, file, refinement.account, tasks, another)


def _intent(root: str, who: Person, *, reason: str, person: str, keep_vector: bool) -> Intent:
    """The intent of an erasure, which is written. Raises UserError where nobody is found, or no reason is given."""
    if not reason.strip():
        raise UserError("give --reason TEXT: the receipt says why the person was erased")
    check_answers(root)
    refinement = latest(root)
    intent = plan(refinement, select(refinement, who)).intent(reason=reason, name=person, keep_vector=keep_vector)
    write_intent(root, intent)
    return intent
