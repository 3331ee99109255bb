"""Identities of two people: relatives or namesakes, whose photos were collected under one name."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.cases.labelled_photos import LabelledPhoto, clean_photos, moved


def two_people(
    photos: Sequence[LabelledPhoto],
    vectors: Mapping[str, NDArray[np.floating]],
    *,
    identities: int = 10,
    min_clean: int = 8,
) -> list[LabelledPhoto]:
    """The photos, with those of two people under one identity each time: the pairs of people who look most alike.

    vectors: a unit vector for each photo's path. Each person has at least min_clean photos and is in one pair.
    """
    known = [photo for photo in photos if photo.path in vectors]
    clean = {person: of_person for person, of_person in clean_photos(known).items() if len(of_person) >= min_clean}
    persons = sorted(clean)
    centres = np.array([np.mean([vectors[p.path] for p in clean[person]], 0) for person in persons])
    centres /= np.linalg.norm(centres, axis=1)[:, None]
    joined: dict[str, str] = {}
    for place in np.argsort(-np.round(np.triu(centres @ centres.T, 1), 6), axis=None, kind="stable").tolist():
        one, two = (persons[i] for i in divmod(place, len(persons)))
        if one < two and one not in joined and two not in joined and len(joined) < 2 * identities:
            joined[one] = joined[two] = f"{one}+{two}"
    names = {p.path: joined[person] for person in joined for p in clean[person]}
    return [moved(p, names[p.path], p.person) if p.path in names else p for p in photos]
