"""Few identities: a small part of a data set, whose persons may each be dealt to several identities.

The input is the truth about its photos (truth.tsv; see pipeline/README.md). Few identities give few pairs of people on
which scores of impostors can be measured; where persons have several identities, part of these pairs are genuine.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.errors import UserError
from pipeline.sample.cases.truth_tables import Row

Rows = list[Row]


def choose_identities(identities: Sequence[str], n: int, seed: int) -> list[str]:
    """So many identities drawn at random. Raises UserError where there are fewer."""
    if not 0 < n <= len(identities):
        raise UserError(f"{n} identities wanted of {len(identities)}: give 1 to {len(identities)}")
    rows = np.random.default_rng([n, seed]).choice(len(identities), n, replace=False)
    return [identities[i] for i in rows.tolist()]


def deal_photos(rows: Rows, persons: dict[str, str], names_each: int) -> Rows:
    """The rows of the truth, with the photos of each identity dealt to so many, as new rows.

    The identities are called NAME, NAME~2, ..., and duplicates stay beside their originals. rows: those of all
    identities of the new data set; a photo of a person of an identity that is not among them becomes an outlier.
    persons: by claimed identity the persons it stands for, separated by blanks. Each row gets one more value: was (its
    old identity).
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
            | {"was": row["claimed"], "path": path[row["path"]]}
            | {"claimed": _name(row["claimed"], number[row["path"]]), "of": path.get(row["of"], row["of"])}
            | {"kind": "outlier" if lost else row["kind"]}
        )
    return dealt


def _name(identity: str, number: int) -> str:
    return identity if number == 0 else f"{identity}~{number + 1}"


def _renamed(path: str, identity: str, number: int) -> str:
    """The path of a photo under identity/ with the identity's new name."""
    return _name(identity, number) + path[len(identity) :] if path.startswith(f"{identity}/") else path
