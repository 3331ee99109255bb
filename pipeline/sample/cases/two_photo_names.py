"""Identities of two photos, which show one person or two people who look more or less alike."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.cases.labelled_photos import LabelledPhoto, moved

NEAR = 50  # pairs around the wanted cosine of which the first is taken whose photos are still unpaired


def two_photo_names(
    photos: Sequence[LabelledPhoto], vectors: Mapping[str, NDArray[np.floating]], *, pairs: int = 100
) -> list[LabelledPhoto]:
    """The photos, with single photos of outliers paired under new identities of two photos.

    The pairs have evenly spaced cosines, from the least to the most alike that the data has. vectors: a unit vector for
    each photo's path. The first photo of a pair is the person of the identity.
    """
    single = {p.person: p for p in sorted(photos, key=lambda p: p.path) if p.kind == "outlier" and p.path in vectors}
    people = [single[person] for person in sorted(single)]
    x = np.array([vectors[p.path] for p in people])
    i, j = np.triu_indices(len(people), 1)
    cosines = np.round(np.einsum("nd,nd->n", x[i], x[j]), 6) if len(people) else np.empty(0)
    order, used, paired = np.argsort(cosines, kind="stable"), set[int](), dict[str, LabelledPhoto]()
    wanted = np.linspace(float(cosines.min()), float(cosines.max()), pairs) if len(cosines) else np.empty(0)
    for start in np.searchsorted(cosines[order], wanted).tolist():
        near = np.arange(max(0, start - NEAR), min(len(order), start + NEAR))
        for place in near[np.argsort(np.abs(near - start), kind="stable")].tolist():
            one, two = int(i[order[place]]), int(j[order[place]])
            if one not in used and two not in used:
                used |= {one, two}
                name = f"pair-{len(used) // 2:04}"
                paired |= {people[k].path: moved(people[k], name, people[one].person) for k in (one, two)}
                break
    return [paired.get(p.path, p) for p in photos]
