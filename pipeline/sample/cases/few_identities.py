"""Few identities: a small part of a data set, whose persons may each be dealt to several identities.

The input is a folder of photos with its truth (photos/, truth.tsv; see pipeline/README.md). Few identities give few
pairs of people on which scores of impostors can be measured; where persons have several identities, part of these pairs
are genuine.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import UserError
from pipeline.sample.cases.truth_tables import COLUMNS, IDENTITIES, OVERLAP, TRUTH, Row, read_rows, write_rows

Rows = list[Row]


class FewIdentitiesAccount(NamedTuple):
    """What was planted: claimed identities, persons, and photos."""

    identities: int
    persons: int
    photos: int


def plant_few_identities(
    folder: Path, out: Path, *, identities: int = 6, names_each: int = 1, seed: int = 0
) -> FewIdentitiesAccount:
    """Copy so many identities of a data set with their photos and their truth to `out`.

    names_each: the photos of each identity are dealt to so many identities NAME, NAME~2, ..., duplicates beside their
    originals. A photo of a person of an identity that was not copied becomes an outlier in the truth. Raises UserError
    where `out` exists, or `folder` has no truth or too few identities.
    """
    if out.exists():
        raise UserError(f"{out} exists: give a folder that is not there yet")
    rows = read_rows(folder)
    identity_rows = read_rows(folder, IDENTITIES, ("claimed", "persons"), optional=True)
    persons = {row["claimed"]: row["persons"] for row in identity_rows}
    chosen = choose_identities(sorted({row["claimed"] for row in rows}), identities, seed)
    dealt = deal_photos([row for row in rows if row["claimed"] in set(chosen)], persons, names_each)
    for row in dealt:
        target = out / "photos" / row["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "photos" / row["source"], target)
    claims = {row["claimed"]: persons.get(row["was"], "") for row in dealt}
    overlap = {row["claimed"] for row in read_rows(folder, OVERLAP, ("claimed",), optional=True)}
    names = sorted(claims)
    write_rows(out, TRUTH, COLUMNS, [[row[c] for c in COLUMNS] for row in dealt])
    if (folder / IDENTITIES).exists():
        write_rows(out, IDENTITIES, ("claimed", "persons"), [(name, claims[name]) for name in names])
    if (folder / OVERLAP).exists():
        write_rows(out, OVERLAP, ("claimed",), [(name,) for name in names if name.partition("~")[0] in overlap])
    return FewIdentitiesAccount(len(claims), len({p for v in claims.values() for p in v.split()}), len(dealt))


def choose_identities(identities: Sequence[str], n: int, seed: int) -> list[str]:
    """So many identities drawn at random. Raises UserError where there are fewer."""
    if not 0 < n <= len(identities):
        raise UserError(f"{n} identities wanted of {len(identities)}: give 1 to {len(identities)}")
    rows = np.random.default_rng([n, seed]).choice(len(identities), n, replace=False)
    return [identities[i] for i in rows.tolist()]


def deal_photos(rows: Rows, persons: dict[str, str], names_each: int) -> Rows:
    """The rows of the truth, with the photos of each identity dealt to so many, as new rows.

    rows: those of all identities of the new data set. persons: by claimed identity the persons it stands for, separated
    by blanks. Each row gets two more values: source (its old path) and was (its old identity).
    """
    number: dict[str, int] = {}  # by old path, of the identity that gets the photo
    count: dict[str, int] = {}
    for row in rows:
        if row["kind"] == "duplicate" and row["of"] in number:
            number[row["path"]] = number[row["of"]]
            continue
        count[row["claimed"]] = count.get(row["claimed"], -1) + 1
        number[row["path"]] = count[row["claimed"]] % names_each
    path = {row["path"]: _renamed(row["path"], row["claimed"], number[row["path"]]) for row in rows}
    known = {p for row in rows for p in persons.get(row["claimed"], "").split()}
    dealt = []
    for row in rows:
        lost = row["kind"] == "flip" and persons and row["person"] not in known
        dealt.append(
            row
            | {"source": row["path"], "was": row["claimed"], "path": path[row["path"]]}
            | {"claimed": _name(row["claimed"], number[row["path"]]), "of": path.get(row["of"], row["of"])}
            | {"kind": "outlier" if lost else row["kind"]}
        )
    return dealt


def _name(identity: str, number: int) -> str:
    return identity if number == 0 else f"{identity}~{number + 1}"


def _renamed(path: str, identity: str, number: int) -> str:
    """The path of a photo under identity/ with the identity's new name."""
    return _name(identity, number) + path[len(identity) :] if path.startswith(f"{identity}/") else path
