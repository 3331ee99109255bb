"""Carries an erasure out from its intent: tombstones, the tables made again without the person, then what is left.

Each step can be done again, and the intent is removed last. So a run that was stopped at any point is finished by the
next one, with the same files in the end.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from flows.erase.sheet import GENERATOR
from flows.refine.building.whole_refinement import build_refinement
from flows.refine.request import RefineRequest
from pipeline.erasure import open_tasks
from pipeline.erasure.intent import REMOVED, Intent, remove_intent, write_intent
from pipeline.erasure.kept_vectors import write_vector
from pipeline.erasure.ledger_references import PROPOSED_FILE, write_without_faces
from pipeline.erasure.leftovers import exports_below, leftover_tables, pages_below, remove_exports
from pipeline.erasure.receipt import Receipt, digest_of_tables, tool, write_receipt
from pipeline.faces.tombstones.tombstones import write_tombstones
from pipeline.refinement import Refinement, ledger_files, publish
from pipeline.report.html.page import GENERATOR as REPORT
from pipeline.review.questions.asked_for import no_longer_ask_for
from pipeline.sources.formats.folder_walk import SHEET_MARK
from pipeline.tables import storage
from pipeline.tables.build import recorded_tables

PAGE_MARK = REPORT.format("refinery ").partition("refinery ")[0].encode() + b"refinery "  # of every command
MARKS = (GENERATOR.encode(), PAGE_MARK, SHEET_MARK)  # of pages and sheets with faces


def carry_out(
    root: str, intent: Intent, request: RefineRequest, remove_tasks: Callable[[], str]
) -> tuple[Refinement, Receipt, str]:
    """Erase what the intent names; returns the refinement in force, the receipt, and what remove_tasks() returns.

    remove_tasks: removes the remembered tasks from Label Studio where it answers, and says what became of them.
    """
    write_tombstones(root, intent.number, intent.tombstones, intent.face_tombstones)
    if intent.vector:
        write_vector(root, intent.number, intent.embedder, intent.vector)
    write_without_faces(root, intent.ledger, intent.ids)
    no_longer_ask_for(root, intent.ids)
    with recorded_tables() as made:
        refinement = publish(root, build_refinement(root, request))
    if not intent.removals:  # counted once: a run that was stopped has removed some
        removals = {
            "tables": sorted(set(intent.files) & set(leftover_tables(root, made, intent.ids))),
            "exports": exports_below(root),
            "pages": pages_below(root, MARKS),
        }
        intent = replace(intent, removals=removals)
        write_intent(root, intent)
    for name in (*intent.ledger, *intent.removals["tables"], *intent.removals["pages"]):
        if storage.get(root, name) is not None:
            storage.remove(root, name)
    for name in leftover_tables(root, made, intent.ids):  # what runs that were stopped have left
        storage.remove(root, name)
    remove_exports(root, intent.removals["exports"])
    if storage.get(root, PROPOSED_FILE) is not None and intent.items:
        storage.remove(root, PROPOSED_FILE)
    files = tuple(ledger_files(root))  # without those that went
    refinement = publish(root, replace(refinement, ledger=files))
    open_tasks.remember_items(root, intent.items)
    tasks = remove_tasks()
    receipt = _receipt(intent, refinement, is_open=bool(open_tasks.open_items(root)))
    write_receipt(root, receipt)
    remove_intent(root)
    return refinement, receipt, tasks


def _receipt(intent: Intent, refinement: Refinement, *, is_open: bool) -> Receipt:
    found = {name: n for name, n in intent.counts if not name.startswith(REMOVED)}
    removed = {name.removeprefix(REMOVED): n for name, n in intent.counts if name.startswith(REMOVED)}
    tables = Counter("manifests" if name.endswith(".json") else "shards" for name in intent.removals["tables"])
    removed |= {
        "table files that held or may have held them": tables["shards"],
        "manifests of these tables": tables["manifests"],
        "folders of exports": len(intent.removals["exports"]),
        "report pages, sheets and patches below the root": len(intent.removals["pages"]),
    }
    left = f"tasks about {len(intent.items)} questions in Label Studio, and their pictures" if is_open else ""
    return Receipt(
        intent.number,
        intent.started,
        intent.reason,
        intent.name,
        tool(),
        found,
        removed,
        intent.before,
        digest_of_tables(refinement),
        left,
    )
