"""One person under several identities: as a data set has them that was made of several sources or spellings."""

from collections.abc import Sequence

from pipeline.sample.cases.labelled_photos import LabelledPhoto, clean_photos, moved

MIN_EACH = 2  # photos of each of the identities


def many_names(photos: Sequence[LabelledPhoto], *, names: int = 4, persons: int = 20) -> list[LabelledPhoto]:
    """The photos, with the clean photos of up to `persons` persons under `names` identities each.

    The persons are those with the fewest clean photos that are enough: few photos a name make it hard. Their photos are
    dealt to the identities in turn.
    """
    clean = clean_photos(photos)
    enough = sorted((person for person in clean if len(clean[person]) >= MIN_EACH * names), key=lambda p: len(clean[p]))
    dealt = {
        photo.path: f"{person}.{i % names}" for person in enough[:persons] for i, photo in enumerate(clean[person])
    }
    return [moved(p, dealt[p.path], p.person) if p.path in dealt else p for p in photos]
