"""How good a refinement is, against a truth that is known photo by photo: the one scorer of this project.

A truth is planted (the drawn world, `refinery benchmark world`) or was checked by people. Photos are compared row by
row, identities as groups: a refined identity belongs to the person who has most correctly labelled photos in it.
Everything is counted on arrays of codes, so ten million photos take some hundred megabytes.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.errors import UserError
from pipeline.refined.scoring.known_truth import WRONG_LABEL, Truth
from pipeline.refined.scoring.scored_photos import Mask, ScoredPhotos


class Rate(NamedTuple):
    """A precision and a recall, 0 to 1; None where there was nothing to divide by."""

    precision: float | None
    recall: float | None

    @property
    def f1(self) -> float:
        """The harmonic mean of both; 0 where either is 0 or not defined."""
        p, r = self
        return 2 * p * r / (p + r) if p and r else 0.0


@dataclass(frozen=True)
class Score:
    """What was wrong, what was found of it, and what was thrown away by mistake. Shares are 0 to 1."""

    photos: int
    kept: int
    noise_before: float  # wrong labels among photos with a face
    noise_after: float  # photos kept that do not show the person to whom their identity belongs
    noise: Rate  # wrong labels removed as noise or relabelled
    clean: int
    clean_lost: int  # clean photos removed as noise
    clean_misplaced: int  # clean photos kept under another person
    flips: int
    flips_relabelled: int  # of them kept under the person they show
    duplicates: Rate
    persons_of_two_names: int
    merged: int  # of them those whose names became one identity
    identities_of_two_persons: int  # refined identities in which two persons have two photos each, or more
    names_of_two_persons: int
    split: int  # of them those whose persons became identities of their own
    overlap: Rate  # claimed names found in the test set
    junk_kept: int
    planted: dict[str, int]  # photos by kind
    stopped: dict[str, int]  # of them removed, or kept under the person they show

    def rows(self) -> list[dict[str, object]]:
        """A line for each kind of planted noise, and one for the clean photos that were lost."""
        table: list[dict[str, object]] = [
            {"planted": kind, "photos": n, "found": self.stopped[kind], "share": f"{self.stopped[kind] / n:.1%}"}
            for kind, n in self.planted.items()
        ]
        lost = f"{self.clean_lost / max(1, self.clean):.1%}"
        return [*table, {"planted": "clean, lost", "photos": self.clean, "found": self.clean_lost, "share": lost}]


def score(labels: Iterable[pa.Table], truth: Truth) -> Score:
    """The score of labels that come shard by shard (columns key, identity, reason) against a truth.

    Labels may come in any order when the truth has keys. Raises UserError when they are not of the same photos.
    """
    table = pa.concat_tables(
        [t.select([c for c in ("key", "identity", "reason") if c in t.schema.names]) for t in labels]
    )
    return score_columns(_in_order(table, truth), truth)


def _in_order(table: pa.Table, truth: Truth) -> pa.Table:
    """The labels in the truth's order of photos."""
    if not truth.keys:
        if len(table) != len(truth.kind):
            raise UserError(
                f"{len(table)} labels for {len(truth.kind)} photos of the truth: give those of one data set"
            )
        return table
    place = {key: i for i, key in enumerate(table["key"].to_pylist())}
    known = set(truth.keys)
    missing, unknown = [k for k in truth.keys if k not in place], [k for k in place if k not in known]
    if missing or unknown or len(place) != len(table):
        examples = f"({', '.join((missing + unknown)[:2])})" if missing or unknown else ""
        raise UserError(
            f"the truth and the labels are not of the same photos: {len(missing)} without a label, {len(unknown)} of "
            f"which the truth says nothing {examples}, {len(table) - len(place)} twice"
        )
    return table.take(pa.array([place[key] for key in truth.keys], pa.int64()))


def score_columns(table: pa.Table, truth: Truth) -> Score:
    """The score of labels (columns identity, reason) that lie row by row beside the truth."""
    photos = ScoredPhotos(table, truth)
    wrong, clean = photos.of(*WRONG_LABEL), photos.of("clean")
    flagged = photos.removed_as_noise | photos.relabelled
    stopped = photos.stopped()
    kept_wrong = photos.kept & ~photos.right
    duplicate, flip = photos.of("duplicate"), photos.of("flip")
    kinds = Counter(truth.kind)
    return Score(
        photos=len(photos.kept),
        kept=int(photos.kept.sum()),
        noise_before=_share(wrong, wrong | clean) or 0.0,
        noise_after=_share(kept_wrong, photos.kept) or 0.0,
        noise=Rate(_share(flagged & wrong, flagged & (wrong | clean)), _share(stopped & wrong, wrong)),
        clean=int(clean.sum()),
        clean_lost=int((clean & photos.removed_as_noise).sum()),
        clean_misplaced=int((clean & kept_wrong).sum()),
        flips=int(flip.sum()),
        flips_relabelled=int((flip & photos.right).sum()),
        duplicates=_duplicates(photos, truth, stopped & duplicate),
        **_names(photos, truth),
        overlap=_overlap(photos, truth),
        junk_kept=int((photos.of("junk") & photos.kept).sum()),
        planted={kind: n for kind, n in sorted(kinds.items()) if kind != "clean"},
        stopped={kind: int((stopped & photos.of(kind)).sum()) for kind in sorted(kinds) if kind != "clean"},
    )


def _share(part: Mask, whole: Mask) -> float | None:
    return float(part.sum() / whole.sum()) if whole.any() else None


def _duplicates(photos: ScoredPhotos, truth: Truth, stopped: Mask) -> Rate:
    """Precision of the photos removed as duplicates, recall of the planted ones."""
    cut = photos.removed_for("duplicate")
    planted = photos.of("duplicate")
    pictures = planted.copy()
    pictures[photos.original[planted & (truth.original >= 0)]] = True
    return Rate(_share(cut & pictures, cut), _share(stopped, planted))


def _names(photos: ScoredPhotos, truth: Truth) -> dict[str, int]:
    """Of whole names: persons of two names and whether these were merged, names of two persons and their split."""
    claimed = {name: code for code, name in enumerate(photos.claimed_names)}
    person = {name: code for code, name in enumerate(photos.person_names)}

    def home(name: str, of: str) -> int | None:
        return photos.homes.get((claimed.get(name, -1), person.get(of, -1)))

    names: dict[str, list[str]] = {}
    for name, persons in truth.persons.items():
        for one in persons:
            names.setdefault(one, []).append(name)
    shared = [(one, several) for one, several in names.items() if len(several) > 1]
    homes = [[home(name, one) for name in several] for one, several in shared]
    double = [[home(name, one) for one in persons] for name, persons in truth.persons.items() if len(persons) > 1]
    voters = photos.kept & photos.of("clean", "duplicate")
    pairs, count = np.unique(np.stack([photos.identity[voters], photos.person[voters]]), axis=1, return_counts=True)
    several_persons = Counter(pairs[0][count >= 2].tolist())
    return {
        "persons_of_two_names": len(shared),
        "merged": sum(None not in of and len(set(of)) == 1 for of in homes),
        "identities_of_two_persons": sum(n > 1 for n in several_persons.values()),
        "names_of_two_persons": len(double),
        "split": sum(None not in of and len(set(of)) == len(of) for of in double),
    }


def _overlap(photos: ScoredPhotos, truth: Truth) -> Rate:
    """Of claimed names: found in a test set when half as many photos as it has clean ones went for that reason."""
    removed = photos.claimed[photos.removed_for("overlap")]
    went = np.bincount(removed, minlength=len(photos.claimed_names))
    clean = np.bincount(photos.claimed[photos.of("clean")], minlength=len(photos.claimed_names))
    found = {photos.claimed_names[i] for i in np.flatnonzero(went >= np.maximum(1, clean / 2)).tolist()}
    right = len(found & truth.overlap)
    return Rate(right / len(found) if found else None, right / len(truth.overlap) if truth.overlap else None)
