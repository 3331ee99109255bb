"""From cases to pages: who is shown beside whom."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.refinement import Refinement
from pipeline.review.groups import GENERAL, Known
from pipeline.review.questions.cases import Case, among, nobody
from pipeline.review.questions.exemplars import SHOWN, Place, everyone, of_tests, place_of, surest
from pipeline.review.questions.gold import gold_for
from pipeline.review.questions.question import GRID, PAIR, Item, Question, question_id
from pipeline.review.questions.queue import CELLS


class Sheet(NamedTuple):
    """A page, who answers it, and all that is asked on it, gold included."""

    group: str
    question: Question
    cases: tuple[Case, ...]
    again: bool = False  # two answers differ, one more is wanted


class Faces(NamedTuple):
    """What there is to show: persons by name, faces of groups, of names, of test people, and where faces are."""

    persons: Mapping[str, Mapping[str, Any]]
    sure: Mapping[Place, list[str]]
    all: Mapping[str, list[str]]
    tests: Mapping[str, list[str]]
    place: Mapping[str, Place]
    alike: Mapping[str, set[str]]  # names that may be one person, as far as anything was found
    unknown: Collection[str]  # names in which no two photos are alike
    there: Collection[str]  # items that were sent before


def compose(
    done: Refinement,
    cases: Sequence[Case],
    known: Mapping[str, Known],
    rounds: Mapping[str, int],
    there: Collection[str] = (),
) -> list[Sheet]:
    """The pages for these cases, in their order; a name's suspects share pages.

    known: group and title of identities; rounds: of findings that are asked again because two answers differ, how many
    answers: each of those has a page of its own, so that it is the same page however many there are. there: items that
    were sent before, of which no gold is to be another.
    """
    faces = _faces(done, cases, there)
    again = [c for c in cases if c.about["finding_id"] in rounds]
    usual = [c for c in cases if c.about["finding_id"] not in rounds]
    grids: dict[str, list[Case]] = defaultdict(list)
    for case in usual:
        if case.page == GRID:
            grids[case.identity].append(case)
    sheets, begun = [], set()
    for case in usual:
        if case.page == PAIR:
            sheets.append(_pair(case, faces, known, 0))
        elif case.identity not in begun:
            begun.add(case.identity)
            some = grids[case.identity]
            sheets += [_grid(some[i : i + CELLS], faces, known, 0, gold=i == 0) for i in range(0, len(some), CELLS)]
    make = {GRID: lambda c, r: _grid([c], faces, known, r), PAIR: lambda c, r: _pair(c, faces, known, r)}
    sheets += [make[c.page](c, rounds[c.about["finding_id"]])._replace(again=True) for c in again]
    return [s for s in sheets if s.question.left and (s.question.right or s.question.page == GRID)]


def _grid(cells: Sequence[Case], faces: Faces, known: Mapping[str, Known], round: int, *, gold: bool = False) -> Sheet:
    name = cells[0].identity
    place = place_of(name, faces.persons) or (name, 0)
    known_one = gold_for(place, cells, faces.sure, faces.alike.get(name, ())) if gold else None
    new = known_one is not None and known_one.about["finding_id"] not in faces.there
    every = [*cells, known_one] if known_one and new else list(cells)
    every.sort(key=lambda c: c.about["finding_id"])  # gold must not stand last
    items = tuple(Item(c.about["finding_id"], c.about["face"], c.guess, c.words) for c in every)
    left, title = tuple(faces.sure.get(place, ())[:SHOWN]), _title(name, known)
    if name in faces.unknown:
        left, title = tuple(faces.all.get(name, ())[:SHOWN]), f"{title} · the one whom several of these photos show"
    question = Question(question_id(GRID, items, round), GRID, title, left, (), items)
    return Sheet(_group(name, faces, known), question, tuple(every))


def _pair(case: Case, faces: Faces, known: Mapping[str, Known], round: int) -> Sheet:
    a = case.about
    left, right, one, two = _sides(case, faces)
    item = Item(a["finding_id"], "", case.guess, case.words)
    title = _title(case.identity, known)
    if a["kind"] == "mixed":
        title += " · is there one person whom several of these photos show?"
    question = Question(
        question_id(PAIR, (item,), round),
        PAIR,
        title,
        tuple(left[:SHOWN]),
        tuple(right[:SHOWN]),
        (item,),
        _title(one, known),
        _title(two, known),
        case.same_means,
    )
    return Sheet(_group(case.identity, faces, known), question, (case,))


def _sides(case: Case, faces: Faces) -> tuple[list[str], list[str], str, str]:
    """The faces of both sides of a pair, and what the sides are called."""
    a, name = case.about, case.identity
    if a["kind"] == "mixed":
        some = faces.all.get(name, [])
        return some[::2], some[1::2], name, name
    if a["kind"] == "split":
        sides = [faces.sure.get(faces.place.get(f, ("", 0)), [f]) for f in (a["subject"], a["object"])]
        return sides[0], sides[1], name, f"other photos under {name}"
    if a["kind"] == "misplaced":
        strays = [a["subject"], *(b["subject"] for b in case.also)]
        under = f"photos under {name}" if name != a["object"] else "a photo without a name"
        return strays, _person(a["object"], faces), under, a["object"]
    own = _person(a["subject"], faces) or [a["subject"]]
    other = faces.tests.get(a["object"], []) if a["kind"] == "overlap" else _person(a["object"], faces)
    return own, other, name, a["object"]


def _person(person: str, faces: Faces) -> list[str]:
    place = place_of(person, faces.persons)
    return [] if place is None else list(faces.sure.get(place, ()))


def _faces(done: Refinement, cases: Sequence[Case], there: Collection[str]) -> Faces:
    """Everything that the pages of these cases may show, in one pass over the tables."""
    columns = ["person", "identity", "cluster", "size", "medoid"]
    persons = {r["person"]: r for r in done.persons.read(columns).to_pylist()}
    splits = {f for c in cases if c.about["kind"] == "split" for f in (c.about["subject"], c.about["object"])}
    rows = among(done.clusters, pa.array(sorted(splits), pa.string()), ["face_id", "identity", "cluster"])
    place = {r["face_id"]: (r["identity"], r["cluster"]) for r in rows if r["cluster"] is not None}
    wanted = set(place.values()) | {(c.identity, 0) for c in cases}
    wanted |= {p for c in cases for n in _named(c) if (p := place_of(n, persons))}
    avoid = {c.about["face"] for c in cases if c.page == GRID}
    alike, mixed = _alike(done, persons)
    unknown = mixed & nobody(persons)
    shown = {c.identity for c in cases if c.about["kind"] == "mixed" or (c.page == GRID and c.identity in unknown)}
    wanted -= {(name, 0) for name in unknown}
    tests = {c.about["object"] for c in cases if c.about["kind"] == "overlap"}
    return Faces(
        persons,
        surest(done, wanted, avoid=avoid),
        everyone(done, shown) if shown else {},
        of_tests(done, tests) if tests else {},
        place,
        alike,
        unknown,
        there,
    )


def _alike(done: Refinement, persons: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, set[str]], set[str]]:
    """Names that may be one person, by name, and names of which nobody can be sure who they are."""
    found, mixed = defaultdict[str, set[str]](set), set[str]()
    for rows in done.judged_findings.batches(["kind", "subject", "object"]):
        mixed.update(rows.filter(pc.equal(rows["kind"], "mixed"))["subject"].to_pylist())
        for row in rows.filter(pc.equal(rows["kind"], "merge")).to_pylist():
            names = [str(persons[n]["identity"]) if n in persons else n for n in (row["subject"], row["object"])]
            found[names[0]].add(names[1])
            found[names[1]].add(names[0])
    return found, mixed


def _named(case: Case) -> Iterable[str]:
    return (n for n in (case.identity, case.about["subject"], case.about["object"]) if n)


def _group(name: str, faces: Faces, known: Mapping[str, Known]) -> str:
    """A name's group; a further person found under a name is for those who know the name's."""
    claimed = str(faces.persons[name]["identity"]) if name in faces.persons else name
    return known[claimed].group if claimed in known else GENERAL


def _title(name: str, known: Mapping[str, Known]) -> str:
    return known[name].title if name in known else name


def shown(sheets: Collection[Sheet]) -> set[str]:
    """Every face that the pages show."""
    return {f for s in sheets for f in (*s.question.left, *s.question.right, *(i.face for i in s.question.items)) if f}
