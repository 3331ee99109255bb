"""What an erasure is about: the photos and further faces of a person, by a photo, by an identity, or by a list."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flows.erase.person_search import FoundFaces, embeddings_of, same_pictures, search_person
from flows.find.flow import models_of
from flows.find.query import read_face
from flows.refine.models import load_embedder
from pipeline.erasure.kept_vectors import digest_of_embedder, kept_vectors
from pipeline.errors import UserError
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.packs import find_model
from pipeline.faces.protocols import FaceEmbedder
from pipeline.refinement import Refinement
from pipeline.review.answers.list_files import read_lists
from pipeline.review.answers.listed_photos import ListedPhotos

NEAR_NAMES = 5  # that are named for an unknown identity
EXAMPLES = 3  # photos of a list that are not in the data


@dataclass(frozen=True)
class Selection:
    """The photos (face_id, and the score of those that were found by it) and the further faces that are to go.

    other: photos under the identity that was named and that do not show its person; unknown: lines of a list that name
    no photo; model: the embedder that searched, None: nothing was searched.
    """

    photos: Mapping[str, float | None]
    further: Mapping[str, float]
    other: int = 0
    unknown: int = 0
    model: FaceEmbedder | None = None
    found: FoundFaces | None = field(default=None, repr=False)


class Person(NamedTuple):
    """Who is to be erased, by one of four options, "" for the others; far: the false accept rate of the search.

    again: the people whose vectors were kept when they were erased.
    """

    photo: str
    identity: str
    list_file: str
    far: float
    again: bool = False


def select(refinement: Refinement, who: Person) -> Selection:
    """The photos of the person.

    Raises UserError where not exactly one option is given, for a photo without a face or with several, an identity or
    photos that are not in the data, and an empty list.
    """
    photo, identity, list_file, far, again = who
    if sum(map(bool, (photo, identity, list_file, again))) != 1:
        raise UserError("who is to be erased? Give one of --photo FACE.jpg, --identity NAME and --list FILE")
    if not 0 < far < 0.5:
        raise UserError(f"--far {far:g}: give a share between 0 and 0.5")
    if list_file:
        return _of_list(refinement, Path(list_file))
    detector, embedder, flip = models_of(refinement.root)
    model = load_embedder(embedder, flip)
    if again:
        return _of_vectors(refinement, model, far)
    return (
        _of_photo(refinement, Path(photo), detector, model, far)
        if photo
        else _of_name(refinement, identity, model, far)
    )


def _of_photo(refinement: Refinement, photo: Path, detector: str, model: FaceEmbedder, far: float) -> Selection:
    face = read_face(photo, OnnxDetector(find_model(detector, "detector")), aligned=refinement.options.aligned)
    if face.faces > 1:
        raise UserError(f"{photo} shows {face.faces} faces: give a photo that shows the person alone")
    found = search_person(refinement, model, model(face.face[None]), far=far)
    if not found.photos and not found.further:
        raise UserError(f"no photo of {refinement.root} shows the person in {photo} at --far {far:g}: nothing to erase")
    return Selection(found.photos, found.further, model=model, found=found)


def _of_vectors(refinement: Refinement, model: FaceEmbedder, far: float) -> Selection:
    """The photos of the people whose vectors were kept. Raises UserError where no photo is found."""
    vectors = kept_vectors(refinement.root, digest_of_embedder(model.named_by))
    if not vectors:
        raise UserError(
            f"{refinement.root} keeps no vector of this model: erase with --keep-vector to find people again"
        )
    every = [search_person(refinement, model, vector[None], far=far) for vector in vectors]
    photos = {i: score for found in every for i, score in found.photos.items()}
    if not photos:
        raise UserError(
            f"no further photo of the {len(vectors)} people whose vectors were kept is in {refinement.root}"
        )
    return Selection(photos, {i: score for found in every for i, score in found.further.items()})


def _of_name(refinement: Refinement, name: str, model: FaceEmbedder, far: float) -> Selection:
    """The photos of the person whom an identity stands for, under any name."""
    claimed, named, names = set[str](), set[str](), set[str]()
    for rows in refinement.labels.batches(["face_id", "claimed", "identity"]):
        for row in rows.to_pylist():
            names |= {row["claimed"], row["identity"]}
            claimed |= {row["face_id"]} if row["claimed"] == name else set()
            named |= {row["face_id"]} if row["identity"] == name else set()
    if name not in names:
        near = difflib.get_close_matches(name, sorted(names - {None}), NEAR_NAMES, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else f"`refinery labels {refinement.root}` lists the names"
        raise UserError(f"no photo of {refinement.root} has the identity {name!r}: {hint}")
    seeds = named | (claimed & _first_persons(refinement, name))
    given = embeddings_of(refinement.embeddings[0], seeds)
    if not len(given):
        raise UserError(
            f"no photo under {name!r} shows the person of that name: give --photo FACE.jpg, or the photos with --list"
        )
    found = search_person(refinement, model, np.asarray(given, np.float64).mean(0)[None], far=far, seeds=seeds)
    return Selection(found.photos, found.further, len(claimed - found.photos.keys()), model=model, found=found)


def _first_persons(refinement: Refinement, name: str) -> set[str]:
    """The faces of an identity's first cluster, which is the person that it stands for."""
    return {
        row["face_id"]
        for rows in refinement.clusters.batches(["face_id", "identity", "cluster"])
        for row in rows.to_pylist()
        if row["identity"] == name and row["cluster"] == 0
    }


def _of_list(refinement: Refinement, file: Path) -> Selection:
    """The photos that a list names, and their duplicates; nothing is searched."""
    lines = read_lists([file], says="wrong")

    def keys() -> list[tuple[str, str]]:
        batches = refinement.labels.batches(["face_id", "key"])
        return [pair for rows in batches for pair in zip(*(c.to_pylist() for c in rows.columns), strict=True)]

    listed = ListedPhotos(lines, (key for _, key in keys()))
    photos = {face_id for face_id, key in keys() if listed.reading_of(key) is not None}
    if not photos:
        unknown = ", ".join(listed.match.unknown[:EXAMPLES])
        raise UserError(f"no photo that {file} names is in {refinement.root}, such as {unknown}: give photos of it")
    every = dict.fromkeys(sorted(same_pictures(refinement, photos)))
    return Selection(every, {}, unknown=len(listed.match.unknown))
