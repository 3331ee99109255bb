"""The truth of a refinement of drawn embeddings, in the form that a score takes."""

import numpy as np

from pipeline.refined.scoring.known_truth import Truth
from pipeline.refinement import Refinement
from tests.builders.tables.planted_noise import planted_noise

KINDS = {"bystander": "outlier", "mixed": "outlier", "unnamed": "outlier", "no_face": "junk"}  # the others stay


def truth_of(refinement: Refinement, seed: int = 0) -> Truth:
    """The truth of the refinement that drawn_refinement.refined() makes with this seed."""
    world = planted_noise(seed)
    identity = {key: name or "" for key, name, *_ in world.rows}
    picture = {key: number for key, *_, number in world.rows}
    keys = refinement.labels.read(["key"])["key"].to_pylist()
    place = {key: i for i, key in enumerate(keys)}
    kinds, persons = [], []
    first = {picture[key]: place[key] for key in keys if world.truth[key][0] == "clean"}
    for number, key in enumerate(keys):
        kind, shown = world.truth[key]
        kinds.append(KINDS.get(kind, kind))
        persons.append(f"stranger{number}" if shown is None else f"person{shown}")
    original = [first.get(picture[k], -1) if kind == "duplicate" else -1 for k, kind in zip(keys, kinds, strict=True)]
    claimed = [identity[key] for key in keys]
    of_identity: dict[str, set[str]] = {}
    for name, person, kind in zip(claimed, persons, kinds, strict=True):
        if kind == "clean":
            of_identity.setdefault(name, set()).add(person)
    stands_for = {name: tuple(sorted(shown)) for name, shown in sorted(of_identity.items())}
    overlap = frozenset(name for name, shown in stands_for.items() if {"person0", "person55"} & set(shown))
    return Truth(claimed, persons, kinds, np.array(original, np.int64), stands_for, overlap, keys)
