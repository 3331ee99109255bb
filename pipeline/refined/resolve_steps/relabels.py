"""Steps that relabel photos: further persons are split off their identity, misplaced faces are moved to their person.

Persons are numbered, claimed identities first; `numbers` has the number of each person by name.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.refined.resolve_steps.photo_fates import ActingFindings, Indices, PhotoFates


def split_identities(
    fates: PhotoFates, claims: pa.Table, persons: pa.Table, numbers: dict[str, int], splits: ActingFindings
) -> NDArray[np.bool_]:
    """Relabel the faces of further persons that are split off; return by number whether a person is an identity now."""
    exists = np.zeros(len(numbers), bool)
    exists[[numbers[i] for i in claims["identity"].unique().to_pylist() if i is not None]] = True
    finding_of_medoid = dict(zip(splits.objects, splits.rows.tolist(), strict=True))
    new = [p for p in persons.to_pylist() if p["cluster"] > 0 and p["medoid"] in finding_of_medoid]
    person_of_cluster = {
        (numbers[p["identity"]], p["cluster"]): (numbers[p["person"]], finding_of_medoid[p["medoid"]]) for p in new
    }
    cluster = claims["cluster"].fill_null(-1).to_numpy()
    for row in np.flatnonzero((cluster > 0) & (fates.person >= 0)).tolist() if new else ():
        if person_and_finding := person_of_cluster.get((int(fates.person[row]), int(cluster[row]))):
            person, finding = np.array(person_and_finding)
            fates.relabel(np.array([row]), person, "split", finding)
    exists[[numbers[p["person"]] for p in new]] = True
    return exists


def relabel_misplaced(
    fates: PhotoFates, numbers: dict[str, int], exists: NDArray[np.bool_], misplaced: ActingFindings
) -> None:
    """Relabel faces that are another person, if that person is an identity and the face was not split off.

    exists: by number whether the person is an identity, as split_identities() returns it.
    """
    rows, target = _faces_and_persons(fates, numbers, exists, misplaced)
    acts = rows >= 0
    acts[acts] = (fates.person[rows[acts]] >= 0) & (fates.reason[rows[acts]] == "")
    fates.relabel(rows[acts], target[acts], "misplaced", misplaced.rows[acts])


def relabel_split_off(
    fates: PhotoFates,
    claimed: Indices,
    numbers: dict[str, int],
    exists: NDArray[np.bool_],
    misplaced: ActingFindings,
) -> None:
    """Relabel faces that were split off with their cluster, and of which people say whom they show.

    One that shows its claimed identity is as if it had not been split off. claimed [n]: the number of each photo's
    claimed identity; misplaced: the findings that people decided.
    """
    rows, target = _faces_and_persons(fates, numbers, exists, misplaced)
    acts = rows >= 0
    acts[acts] = (fates.reason[rows[acts]] == "split") & (fates.person[rows[acts]] != target[acts])
    rows, target, finding = rows[acts], target[acts], misplaced.rows[acts]
    back = claimed[rows] == target
    fates.relabel(rows[~back], target[~back], "misplaced", finding[~back])
    fates.relabel(rows[back], target[back], "", np.full(int(back.sum()), -1))


def _faces_and_persons(
    fates: PhotoFates, numbers: dict[str, int], exists: NDArray[np.bool_], misplaced: ActingFindings
) -> tuple[Indices, Indices]:
    """The row of the face of each finding, -1 where its person is no identity; and the number of the person."""
    target = np.array([numbers.get(person or "", -1) for person in misplaced.objects], np.int64)
    rows = fates.rows_of(misplaced.subjects)
    return np.where((target >= 0) & exists[target], rows, -1), target
