"""Identities whose noise looks alike: photos of the other people who are most similar to the person.

A search engine's wrong photos are not drawn at random: they show relatives, namesakes and people who look alike.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.cases.labelled_photos import LabelledPhoto, clean_photos, moved

SHARES = (0.0, 0.25, 0.5, 0.75)  # of noise in an identity; each identity has one of them
MIN_CLEAN = 4  # clean photos of a person who gets an identity; the photos of all others are noise


def lookalikes(
    photos: Sequence[LabelledPhoto],
    vectors: Mapping[str, NDArray[np.floating]],
    *,
    shares: Sequence[float] = SHARES,
    min_clean: int = MIN_CLEAN,
) -> list[LabelledPhoto]:
    """An identity for each person with enough clean photos, with a share of noise that looks alike.

    vectors: a unit vector for each photo's path, of any embedder; photos without one are left out. Identities get the
    shares in turn, in the order of the hashes of their names. The pair of an identity and a photo of somebody else with
    the highest cosine is taken first, until each identity has its share or all photos are used.
    """
    known = [photo for photo in photos if photo.path in vectors]
    clean = {person: of_person for person, of_person in clean_photos(known).items() if len(of_person) >= min_clean}
    pool = [p for p in known if p.kind in ("clean", "outlier") and p.person not in clean]
    persons = sorted(clean, key=lambda person: blake2b(person.encode()).digest())
    share = {person: shares[i % len(shares)] for i, person in enumerate(persons)}
    wanted = np.array([round(share[p] / (1 - share[p]) * len(clean[p])) for p in persons])
    taken: dict[str, list[LabelledPhoto]] = {person: [] for person in persons}
    if pool and persons:
        centres = np.array([np.mean([vectors[p.path] for p in clean[person]], 0) for person in persons])
        cosines = centres @ np.array([vectors[p.path] for p in pool]).T / np.linalg.norm(centres, axis=1)[:, None]
        used = np.zeros(len(pool), bool)
        for place in np.argsort(-np.round(cosines, 6), axis=None, kind="stable").tolist():
            i, j = divmod(place, len(pool))
            if not used[j] and len(taken[persons[i]]) < wanted[i]:
                used[j] = True
                taken[persons[i]].append(pool[j])
    return [moved(photo, person, person) for person in persons for photo in [*clean[person], *taken[person]]]
