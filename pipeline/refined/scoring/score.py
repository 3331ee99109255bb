"""The score of a refinement against a truth that is known photo by photo.

The truth is that of a sample world, or was checked by people. Photos are compared row by row. Identities are compared
as groups, whatever they are called: a refined identity belongs to the person who has most clean photos and duplicates
in it. All counts are made on arrays of codes, so ten million photos take some hundred megabytes.
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
    """A precision and a recall, 0 to 1; None where the denominator is zero."""

    precision: float | None
    recall: float | None

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where either is 0 or None."""
        p, r = self
        return 2 * p * r / (p + r) if p and r else 0.0


def stopped_rate(stopped: Mask, lost: Mask, wrong: Mask, clean: Mask) -> Rate:
    """Precision and recall of the wrong labels that were stopped.

    stopped [n]: photos that were removed or have the right identity; lost [n]: photos that were removed by mistake if
    they are clean; wrong, clean [n]: photos whose claimed identity is wrong, or right.
    Of a method that only removes photos this is the noise rate of a Score.
    """
    stopped_wrong, lost_clean = int((stopped & wrong).sum()), int((lost & clean).sum())
    return Rate(stopped_wrong / max(1, stopped_wrong + lost_clean), stopped_wrong / max(1, int(wrong.sum())))


@dataclass(frozen=True)
class Score:
    """The noise before and after a refinement, how much of each kind was found, and which clean photos were lost.

    For the kinds of photos see Truth. Shares are 0 to 1.
    """

    photos: int
    kept: int
    noise_before: float  # share of wrong labels (outliers and flips) among these and the clean photos
    noise_after: float  # share of kept photos that do not show the person to whom their identity belongs
    noise: Rate  # precision: of photos removed as noise or relabelled; recall: of wrong labels removed or corrected
    clean: int
    clean_lost: int  # clean photos removed as noise
    clean_misplaced: int  # clean photos kept under an identity of another person
    flips: int
    flips_relabelled: int  # flips that are kept under the person they show
    duplicates: Rate  # of photos removed as duplicates
    persons_under_two_identities: int  # persons with two claimed identities or more
    merged: int  # of these persons, those whose claimed identities became one identity
    identities_of_two_persons: int  # refined identities in which two persons or more have at least two photos each
    claimed_identities_of_two_persons: int  # claimed identities that stand for two persons or more
    split: int  # of these identities, those whose persons are apart; one of them may be removed as overlap
    overlap: Rate  # of claimed identities removed because their person is in a test set
    junk_kept: int
    planted: dict[str, int]  # number of photos by kind, without clean ones
    stopped: dict[str, int]  # of these, photos that were removed or are kept under the person they show
    outliers_apart: int  # outliers that were removed, or stand apart from all other people under their identity

    def rows(self) -> list[dict[str, object]]:
        """A line for each kind of planted noise, and one for the clean photos that were lost."""
        counts = [(kind, n, self.stopped[kind]) for kind, n in self.planted.items()]
        counts += [
            ("outlier, removed or set apart", n, self.outliers_apart) for kind, n, _ in counts if kind == "outlier"
        ]
        return [
            {"planted": kind, "photos": n, "found": found, "share": f"{found / max(1, n):.1%}"}
            for kind, n, found in (*counts, ("clean, lost", self.clean, self.clean_lost))
        ]


def score(labels: Iterable[pa.Table], truth: Truth) -> Score:
    """The score of labels against a truth.

    labels: shard by shard, with the columns key, identity and reason; in any order if the truth has keys, else in the
    truth's order. Raises UserError when labels and truth are not about the same photos.
    """
    table = pa.concat_tables(
        [t.select([c for c in ("key", "identity", "reason") if c in t.schema.names]) for t in labels]
    )
    return score_columns(in_order_of_truth(table, truth), truth)


def in_order_of_truth(table: pa.Table, truth: Truth) -> pa.Table:
    """The labels in the truth's order of photos."""
    if not truth.keys:
        if len(table) != len(truth.kind):
            raise UserError(
                f"{len(table)} labels for {len(truth.kind)} photos of the truth: give labels and truth of one data set"
            )
        return table
    place = {key: i for i, key in enumerate(table["key"].to_pylist())}
    known = set(truth.keys)
    missing, unknown = [k for k in truth.keys if k not in place], [k for k in place if k not in known]
    if missing or unknown or len(place) != len(table):
        examples = f"({', '.join((missing + unknown)[:2])})" if missing or unknown else ""
        raise UserError(
            f"the truth and the labels are not about the same photos: {len(missing)} without a label, {len(unknown)} "
            f"not in the truth {examples}, {len(table) - len(place)} with two labels: give those of one data set"
        )
    return table.take(pa.array([place[key] for key in truth.keys], pa.int64()))


def score_columns(table: pa.Table, truth: Truth) -> Score:
    """The score of labels (columns identity and reason) whose rows are in the order of the truth."""
    return score_photos(ScoredPhotos(table, truth), truth)


def score_photos(photos: ScoredPhotos, truth: Truth) -> Score:
    """The score of labels and truth that are coded already."""
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
        **_identity_counts(photos, truth),
        overlap=_overlap(photos, truth),
        junk_kept=int((photos.of("junk") & photos.kept).sum()),
        planted={kind: n for kind, n in sorted(kinds.items()) if kind != "clean"},
        stopped={kind: int((stopped & photos.of(kind)).sum()) for kind in sorted(kinds) if kind != "clean"},
        outliers_apart=int((photos.stopped_or_apart() & photos.of("outlier")).sum()),
    )


def _share(part: Mask, whole: Mask) -> float | None:
    return float(part.sum() / whole.sum()) if whole.any() else None


def _duplicates(photos: ScoredPhotos, truth: Truth, stopped: Mask) -> Rate:
    """The precision of the photos removed as duplicates, and the recall of the planted duplicates.

    A removal is right if the photo is a duplicate or the original of one. stopped [n]: duplicates of which either
    picture was removed.
    """
    removed = photos.removed_for("duplicate")
    planted = photos.of("duplicate")
    pictures = planted.copy()
    pictures[photos.original[planted & (truth.original >= 0)]] = True
    return Rate(_share(removed & pictures, removed), _share(stopped, planted))


def _identity_counts(photos: ScoredPhotos, truth: Truth) -> dict[str, int]:
    """Counts of whole identities: persons under several identities and their merges, identities of several persons and
    their splits.

    A person's photos under a claimed identity count by the refined identity of most of them: see
    ScoredPhotos.main_identities.
    """
    claimed_code = {claimed: code for code, claimed in enumerate(photos.claimed_identities)}
    person_code = {name: code for code, name in enumerate(photos.person_names)}

    def main_identity(claimed: str, person: str) -> int | None:
        return photos.main_identities.get((claimed_code.get(claimed, -1), person_code.get(person, -1)))

    claimed_of_person: dict[str, list[str]] = {}
    for claimed, persons in truth.persons.items():
        for person in persons:
            claimed_of_person.setdefault(person, []).append(claimed)
    of_persons = [[main_identity(c, p) for c in claims] for p, claims in claimed_of_person.items() if len(claims) > 1]
    several = {c: persons for c, persons in truth.persons.items() if len(persons) > 1}
    voters = photos.kept & photos.of("clean", "duplicate")
    pairs, count = np.unique(np.stack([photos.identity[voters], photos.person[voters]]), axis=1, return_counts=True)
    persons_in_identity = Counter(pairs[0][count >= 2].tolist())
    return {
        "persons_under_two_identities": len(of_persons),
        "merged": sum(None not in identities and len(set(identities)) == 1 for identities in of_persons),
        "identities_of_two_persons": sum(n > 1 for n in persons_in_identity.values()),
        "claimed_identities_of_two_persons": len(several),
        "split": sum(
            photos.are_apart(claimed_code.get(c, -1), [person_code.get(p, -1) for p in persons])
            for c, persons in several.items()
        ),
    }


def _overlap(photos: ScoredPhotos, truth: Truth) -> Rate:
    """Precision and recall of the claimed identities that were removed because their person is in a test set."""
    if truth.overlap is None:
        return Rate(None, None)
    found = {photos.claimed_identities[i] for i in photos.overlap_identities()}
    right = len(found & truth.overlap)
    return Rate(right / len(found) if found else None, right / len(truth.overlap) if truth.overlap else None)
