"""Persons that are hard to tell: second people in fragments, twins, several names of one person, names of two photos.

Each case is made of a refined data set whose truth is known (sample/cases/); the noise stages then run on it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from flows.benchmark.hard_names.recomposed import CaseResult, RefinedRows, Vectors, refine_case
from flows.cli.options import Root, World
from flows.cli.result import Result
from pipeline.refined.scoring.score import score
from pipeline.refinement import latest
from pipeline.sample.cases.drawn_vectors import as_twins
from pipeline.sample.cases.labelled_photos import LabelledPhoto, clean_photos, moved, read_photos
from pipeline.sample.cases.many_names import many_names
from pipeline.sample.cases.two_people import two_people
from pipeline.sample.cases.two_photo_names import two_photo_names

FIRST, SECOND, AGES = 753, 183, 40  # photos of two people a generation apart, and ages at which the second was taken
DRIFT = 0.2  # of the second person from one age to the next, as a share of a photo's own deviation
TWINS, TWIN_COSINE = 20, 0.86  # pairs of twins; cosine of their centres
Case = tuple[Sequence[LabelledPhoto], RefinedRows]


@dataclass(frozen=True)
class PersonCases(Result):
    """What became of the persons of each case."""

    cases: list[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        """One row for each case."""
        return self.cases

    def lines(self) -> list[str]:
        """What the columns mean."""
        return [
            "right: persons, identities or pairs of which the labels are right; lost: clean photos removed as noise"
        ]


def persons(root: Root, world: World) -> PersonCases:
    """Make each case of the data set, run the noise stages, and count which persons are right."""
    rows, photos = RefinedRows.read(latest(root)), read_photos(world)
    vectors = rows.vectors_by_key()
    cases: dict[str, tuple[Case, Callable[[CaseResult], str]]] = {
        "two people a generation apart": (generations(photos, rows), _generations_right),
        "twins": (twins(photos, rows), _twins_right),
        "names of two photos": ((two_photo_names(photos, vectors), rows), lambda case: _pairs_right(case, rows)),
        "identities of two people": ((two_people(photos, vectors), rows), _split),
        **{f"{n} names of one person": ((many_names(photos, names=n), rows), _merged) for n in (3, 5, 8)},
    }
    table = []
    for name, ((case, case_rows), right) in cases.items():
        with TemporaryDirectory() as folder:
            result = refine_case(Path(folder), case, case_rows)
            found = score(result.labels.batches(["key", "identity", "reason"]), result.truth)
            lost = f"{found.clean_lost} of {found.clean}"
            table.append({"case": name, "right": right(result), "lost": lost})
    return PersonCases(table)


def generations(photos: Sequence[LabelledPhoto], rows: RefinedRows) -> Case:
    """An identity of two people a generation apart, the second taken at AGES ages.

    Their vectors are drawn: the centre of a real person and the deviation of a real photo, both by each embedder. They
    take the place of photos of outliers.
    """
    rng = np.random.default_rng(0)
    clean = {p: [x for x in of if x.file in rows.row] for p, of in clean_photos(photos).items()}
    known = sorted((p for p in clean if len(clean[p]) >= 8), key=lambda p: -len(clean[p]))
    places = [[rows.row[x.file] for x in clean[person]] for person in known]
    centres = [np.array([x[of].mean(0) for of in places]) for x in rows.embeddings]
    cosines = _unit(centres[0].astype(np.float64)) @ _unit(centres[0].astype(np.float64))[0]
    two = 1 + int(np.abs(cosines[1:] - 0.25).argmin())  # about as alike as a parent and a child
    pool = [p for p in photos if p.kind == "outlier" and p.file in rows.row][: FIRST + SECOND]
    from_photos = [(i, row) for i, of in enumerate(places) for row in of]
    photo = [from_photos[k] for k in rng.integers(0, len(from_photos), FIRST + SECOND)]
    steps = [from_photos[k] for k in rng.integers(0, len(from_photos), AGES)]
    age = rng.integers(0, AGES, FIRST + SECOND)
    embeddings = []
    for x, centre in zip(rows.embeddings, centres, strict=True):
        deviation = np.array([x[row].astype(np.float64) - centre[i] for i, row in photo])
        walk = np.cumsum([DRIFT * (x[row].astype(np.float64) - centre[i]) for i, row in steps], axis=0)
        first = np.arange(FIRST + SECOND) < FIRST
        drawn = np.where(first[:, None], centre[0], centre[two] + (walk - walk.mean(0))[age]) + deviation
        embeddings.append(_with_rows(x, [rows.row[p.file] for p in pool], drawn))
    named = {p.path: moved(p, "family", known[0]) for p in pool}
    case = [
        replace(named[p.path], person=known[0] if k < FIRST else known[two], kind="clean") for k, p in enumerate(pool)
    ]
    others = [p for p in photos if p.path not in named and p.person not in (known[0], known[two])]
    return [*others, *case], replace(rows, embeddings=embeddings)


def twins(photos: Sequence[LabelledPhoto], rows: RefinedRows) -> Case:
    """The photos, with people of six photos or more paired as twins: by each embedder their centres get TWIN_COSINE."""
    clean = {p: [x for x in of if x.file in rows.row] for p, of in clean_photos(photos).items()}
    several = [p for p in clean if len(clean[p]) >= 6][: 2 * TWINS]
    embeddings = [x.copy() for x in rows.embeddings]
    for one, two in zip(several[::2], several[1::2], strict=False):
        place = [rows.row[x.file] for person in (one, two) for x in clean[person]]
        of_first = np.arange(len(place)) < len(clean[one])
        for x in embeddings:
            x[place] = as_twins(x[place].astype(np.float64), of_first, likeness=TWIN_COSINE)
    pairs = dict(zip(several[::2], several[1::2], strict=False))
    twin = {p for pair in pairs.items() for p in pair}
    names = {one: i for i, pair in enumerate(pairs.items()) for one in pair}
    case = [
        moved(p, f"twin-{names[p.person]:02}-{'a' if p.person in pairs else 'b'}", p.person)
        for p in photos
        if p.kind == "clean" and p.person in twin
    ]
    return [*(p for p in photos if p.person not in twin), *case], replace(rows, embeddings=embeddings)


def _unit(x: Vectors) -> Vectors:
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


def _with_rows(x: Vectors, places: Sequence[int], drawn: Vectors) -> Vectors:
    x = x.copy()
    x[np.array(places)] = _unit(drawn)
    return x


def _identities(case: CaseResult) -> dict[tuple[str, str], dict[str | None, int]]:
    """By claimed identity and person: how many clean photos have which identity in the labels, None: removed."""
    counts: dict[tuple[str, str], dict[str | None, int]] = {}
    labels = case.labels.read(["identity"])["identity"].to_pylist()
    for identity, claimed, person, kind in zip(
        labels, case.truth.claimed, case.truth.person, case.truth.kind, strict=True
    ):
        if kind == "clean":
            of = counts.setdefault((claimed, person), {})
            of[identity] = of.get(identity, 0) + 1
    return counts


def _main(counts: Mapping[str | None, int]) -> str | None:
    return max(counts, key=lambda identity: (counts[identity], identity or ""))


def _generations_right(case: CaseResult) -> str:
    family = {person: of for (claimed, person), of in _identities(case).items() if claimed == "family"}
    mains = {person: _main(of) for person, of in family.items()}
    kept = sum(of[main] for of, main in zip(family.values(), mains.values(), strict=True) if main is not None)
    apart = len(set(mains.values()) - {None}) == 2
    return f"{'split' if apart else 'not split'}; {kept} of {sum(sum(of.values()) for of in family.values())} photos"


def _twins_right(case: CaseResult) -> str:
    mains = {claimed: _main(of) for (claimed, _), of in _identities(case).items() if claimed.startswith("twin-")}
    pairs = sorted({claimed[:-2] for claimed in mains})
    apart = sum(mains[f"{pair}-a"] != mains[f"{pair}-b"] for pair in pairs)
    return f"{apart} of {len(pairs)} pairs not merged"


def _pairs_right(case: CaseResult, rows: RefinedRows) -> str:
    """Pairs of two people that are removed, and how often one is that is by each embedder more alike than one kept.

    Pairs of which a photo is a duplicate, or shows the person of another identity, are left out.
    """
    of: dict[str, list[tuple[int, str]]] = {}
    reasons = case.labels.read(["reason"])["reason"].to_pylist()
    for photo, reason in zip(case.photos, reasons, strict=True):
        if photo.claimed.startswith("pair-"):
            of.setdefault(photo.claimed, []).append((rows.row[photo.file], reason))
    pairs = [two for two in of.values() if len(two) == 2 and {r for _, r in two} <= {"", "outlier", "mixed"}]
    one, two = (np.array([pair[side][0] for pair in pairs]) for side in (0, 1))
    cosines = [np.einsum("nd,nd->n", x[one].astype(np.float64), x[two].astype(np.float64)) for x in rows.embeddings]
    kept = np.array([a == b == "" for (_, a), (_, b) in pairs], bool)
    less_alike = np.logical_and.reduce([c[kept][:, None] < c[~kept][None] for c in cosines])
    return f"{int((~kept).sum())} of {len(kept)} pairs of two people removed; {int(less_alike.sum())} inversions"


def _split(case: CaseResult) -> str:
    found = score(case.labels.batches(["key", "identity", "reason"]), case.truth)
    return f"{found.split} of {found.claimed_identities_of_two_persons} identities split"


def _merged(case: CaseResult) -> str:
    found = score(case.labels.batches(["key", "identity", "reason"]), case.truth)
    return f"{found.merged} of {found.persons_under_two_identities} persons merged"
