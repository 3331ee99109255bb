"""A set of pairs by group of people: the figures of its pairs within each group, and impostors of all its photos."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from flows.evaluate.by_group.figures import nobody, verified_groups
from flows.evaluate.by_group.group_results import ONE, OWN, GroupFigure, GroupResults, ImpostorRate, limits
from flows.evaluate.by_group.person_groups import PersonGroups
from flows.evaluate.embeddings import embed_test_faces, unit_rows
from flows.evaluate.measure_options import MeasureOptions
from flows.evaluate.pair_sets import PreparedPairs
from flows.evaluate.results import Measurement
from flows.evaluate.verify_pairs import few_passing, measure_pairs
from pipeline.errors import UserError
from pipeline.faces.protocols import FaceEmbedder
from pipeline.tables.columns import vectors
from trainer.evaluation.by_group.cross_group import CrossGroup, Rates, cross_group_rates
from trainer.evaluation.by_group.group_pairs import NO_GROUP, GroupVerifications, verify_groups
from trainer.evaluation.pair_set import load_pairs, pair_cosines


def measure_pair_groups(
    root: str,
    models: Mapping[str, FaceEmbedder],
    test: PreparedPairs,
    options: MeasureOptions,
    *,
    name: str,
    groups: PersonGroups,
) -> GroupResults:
    """The figures of each model and group on a prepared set of pairs, and the rates of impostors of all its photos.

    name: of the test set in the results. A test set of which nobody has a group (as a .bin, which names nobody) gives a
    line that says so.
    """
    persons: list[str | None] = test.faces.read(["identity"])["identity"].to_pylist()
    number = groups.numbers(persons, name)
    if (number == NO_GROUP).all():
        return nobody(name)
    pairs = load_pairs(test.folder)
    sides = (number[pairs.a], number[pairs.b])
    known = np.flatnonzero(pairs.has_face & (number != NO_GROUP))
    person = np.unique([str(persons[i]) for i in known], return_inverse=True)[1]
    present, code = np.unique(number[known], return_inverse=True)
    names = [groups.names[n] for n in present.tolist()]
    verified: dict[str, GroupVerifications] = {}
    rates = GroupResults()
    for title, embedder in models.items():
        table = embed_test_faces(root, test.faces, embedder, workers=options.workers)
        x = unit_rows(vectors(table.read(["x"])["x"])[0])
        verified[title] = verify_groups(
            pair_cosines(pairs, x),
            pairs.same,
            pairs.fold,
            sides,
            unit=pairs.unit,
            far_rule=options.far_rule,
            samples=options.draws,
            seed=options.seed,
        )
        try:
            impostors = cross_group_rates(
                x[known], person, code, far=options.far, samples=options.draws, seed=options.seed
            )
        except UserError as error:
            rates.notes.append(f"{name}, impostors within and between groups: {error}")
        else:
            rates.extend(_rates(name, title, names, impostors))
    results = verified_groups(name, groups, verified)
    results.extend(rates)
    return results


def measure_pair_set(
    root: str, models: Mapping[str, FaceEmbedder], test: PreparedPairs, options: MeasureOptions, *, name: str
) -> Measurement:
    """The figures of each model on a prepared set of pairs, and those by group where the options have groups."""
    measured = measure_pairs(root, models, test, options, name=name)
    if options.groups is None:
        return measured
    return replace(
        measured, by_group=measure_pair_groups(root, models, test, options, name=name, groups=options.groups)
    )


def _rates(test_set: str, model: str, names: Sequence[str], rates: CrossGroup) -> GroupResults:
    """The rates of all impostor pairs of a test set's photos, and figures by group at both kinds of thresholds."""
    figures: list[GroupFigure] = []
    table: list[ImpostorRate] = []
    n = len(names)
    few = [[few_passing(rates.far * rates.trials[g, h]) for h in range(n)] for g in range(n)]
    kinds = (
        (ONE, [rates.cosine] * n, rates.impostors, rates.genuine),
        (OWN, rates.own_cosine, rates.own_impostors, rates.own_genuine),
    )
    for threshold, cosines, impostors, genuine in kinds:
        for g, name in enumerate(names):
            for figure, cell, warning in (
                (f"FAR, {threshold}", _cell(impostors, g, g), few[g][g]),
                (f"TAR, {threshold}", _cell(genuine, g), few[g][g]),
            ):
                if not math.isnan(cell[0]) and figure != f"FAR, {OWN}":  # that one is the rate asked for
                    figures.append(GroupFigure(test_set, figure, model, name, *cell, warning))
            table += [
                ImpostorRate(
                    test_set,
                    model,
                    threshold,
                    float(cosines[g]),
                    name,
                    other,
                    *_cell(impostors, g, h),
                    int(rates.trials[g, h]),
                    few[g][h],
                )
                for h, other in enumerate(names)
                if rates.trials[g, h]
            ]
    note = (
        f"{test_set}, {model}: impostors are all pairs of {int(rates.photos.sum())} photos of "
        f"{int(rates.people.sum())} people with a group; {rates.far:g} of them pass at the one threshold, and of those "
        "within a group at its own"
    )
    return GroupResults(figures, table, [note])


def _cell(rates: Rates, *at: int) -> tuple[float, float | None, float | None]:
    return float(rates.value[at]), *limits(float(rates.low[at]), float(rates.high[at]))
