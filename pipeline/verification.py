"""Checks every file of a root, or of an export, whose digest is known."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UserError
from pipeline.faces.tombstones.tombstones import FOLDER as ERASURES
from pipeline.faces.tombstones.tombstones import read_tombstones
from pipeline.lost_answers import lost_answers
from pipeline.refined.export import FILE_DIGESTS, IDENTITIES, MANIFEST
from pipeline.refinement import FILE, LEDGER, latest
from pipeline.sources.text_lists import plain_cell
from pipeline.tables import storage
from pipeline.tables.digests import DAMAGED, digest_of_file, is_as_sealed, set_aside
from pipeline.tables.table import load

MANIFEST_NAME = re.compile(r"[a-z_]+/[0-9a-f]{20}\.json")  # of a table
LABELS = re.compile(r"labels/[0-9a-f]{20}\.json")
DRAW_NAME = re.compile(r"ledger/audits/[0-9]+-([0-9a-f]{32})\.json")  # of an audit
DIGEST_NAMED = (LEDGER, "asked")  # folders of files that are named by their digest
NOT_MADE_AGAIN = (*DIGEST_NAMED, ERASURES)  # folders whose files no run makes


class KnownFile(NamedTuple):
    """A file with a known digest: the table or folder that it belongs to, its name, and the digest of its bytes."""

    group: str
    name: str
    digest: str
    made_again: bool = False  # by the next run, if it is damaged and set aside


class Fault(NamedTuple):
    """A file that is not as it was written, and what is wrong with it."""

    group: str
    name: str
    what: str


def files_of_root(root: str) -> Iterator[KnownFile | Fault]:
    """The files of every table of a root, of its ledger and of its question log; faults of the manifests themselves."""
    names = storage.list_files(root, "")
    if FILE in names:
        try:
            latest(root)  # checks refinement.json and the manifests that it names
        except UserError as error:
            yield Fault("refinement", FILE, str(error))
        for name in _lost_answers(root):
            yield Fault(LEDGER, name, "missing; the labels were made with its answers")
    elif any(LABELS.fullmatch(name) for name in names):  # the table after which refinement.json is written
        yield Fault("refinement", FILE, "missing; nothing says which of the tables are in force")
    try:
        read_tombstones(root)
    except UserError as error:
        yield Fault(ERASURES, ERASURES, str(error))
    seen: set[str] = set()
    for name in names:
        for known in _files_of(root, name):
            if known.name not in seen:
                seen.add(known.name)
                yield known


def _files_of(root: str, name: str) -> Iterator[KnownFile | Fault]:
    """The file of this name under a root if its name holds its digest, or the files that it lists as a manifest."""
    group, _, rest = name.partition("/")
    if group in DIGEST_NAMED and name.endswith(".parquet") and not rest.startswith("."):
        yield KnownFile(group, name, rest.removesuffix(".parquet"))
    elif draw := DRAW_NAME.fullmatch(name):
        yield KnownFile(LEDGER, name, draw[1])
    elif MANIFEST_NAME.fullmatch(name):
        yield from _files_of_manifest(root, group, rest.removesuffix(".json"))


def _files_of_manifest(root: str, table: str, address: str) -> Iterator[KnownFile | Fault]:
    try:
        loaded = load(root, table, address)
    except UserError as error:
        yield Fault(table, f"{table}/{address}.json", str(error))
        return
    for shard in loaded.shards if loaded is not None else ():  # a table without rows is false
        yield KnownFile(table, shard.path, shard.digest, made_again=True)


def _lost_answers(root: str) -> list[str]:
    try:
        return lost_answers(root)
    except UserError:  # refinement.json is no JSON, which latest() says
        return []


def is_export(path: str) -> bool:
    """Whether a path is the folder of an export whose files have digests."""
    return "://" not in path and any((Path(path) / name).exists() for name in (MANIFEST, FILE_DIGESTS))


def files_of_export(folder: Path) -> Iterator[KnownFile]:
    """The files that an export lists with their digests. Raises UserError where the list is damaged."""
    if not (folder / MANIFEST).exists():
        yield from _files_of_folders(folder)
        return
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        listed = [*manifest["shards"], *manifest.get("files", [])]
        files = [KnownFile("export", str(f["path"]), str(f["digest"])) for f in listed]
        if not is_as_sealed(manifest):
            raise ValueError("its content is not what was written")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{folder / MANIFEST} is damaged ({error!r}): export the data set again") from None
    if not all(_inside_export(Path(file.name)) for file in files):
        raise UserError(f"{folder / MANIFEST} names files of other folders: export the data set again")
    yield from files


def _files_of_folders(folder: Path) -> Iterator[KnownFile]:
    """The files of an export of folders: first the faces, then the files beside them."""
    number, is_whole = 0, False
    with open(folder / FILE_DIGESTS, newline="", encoding="utf-8", errors="backslashreplace") as stream:
        rows = csv.reader(stream, delimiter="\t")
        try:
            for number, row in enumerate(rows):
                path = Path(plain_cell(row[0])) if row else Path()
                if number and (len(row) != 2 or not _inside_export(path)):
                    raise csv.Error
                if number:
                    yield KnownFile("export", str(path), row[1])
                is_whole |= str(path) == IDENTITIES
        except csv.Error:
            raise _damaged_list(folder, f"line {number + 1}") from None
    if not is_whole:
        raise _damaged_list(folder, f"cut short after line {number + 1}")


def _damaged_list(folder: Path, where: str) -> UserError:
    return UserError(f"{folder / FILE_DIGESTS} is damaged ({where}): export the data set again")


def _inside_export(path: Path) -> bool:
    """Whether a path is that of a file of an export: in its folder, or in a folder in there."""
    return len(path.parts) in (1, 2) and not path.is_absolute() and ".." not in path.parts


def fault_of(root: str, file: KnownFile) -> Fault | None:
    """What is wrong with a file; None where its bytes are those that were written.

    A damaged file that a run makes again is set aside: while it has its name, a run takes it for whole.
    """
    for _ in range(2):  # what a network corrupts may be right the second time
        digest = digest_of_file(root, file.name)
        if digest is None:
            return Fault(file.group, file.name, "missing")
        if digest == file.digest:
            return None
    aside = file.made_again and set_aside(root, file.name)
    note = f"; set aside as {Path(file.name).name}{DAMAGED}" if aside else ""
    return Fault(file.group, file.name, f"other bytes than were written{note}")
