"""Identities with noise that looks alike, and the folder that a case is written to."""

from collections import Counter

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sample.cases.labelled_photos import LabelledPhoto, read_photos
from pipeline.sample.cases.lookalikes import lookalikes

EAST, NORTH = np.eye(2)
CLEAN = [LabelledPhoto(f"{p}/{k}.jpg", p, p.upper(), "clean") for p in ("a", "b") for k in range(4)]
NOISE = [LabelledPhoto(f"a/o{k}.jpg", "a", f"O{k}", "outlier") for k in range(8)]


def vectors():
    of_person = {"A": EAST, "B": NORTH} | {f"O{k}": EAST if k % 2 else NORTH for k in range(8)}
    return {p.path: of_person[p.person] for p in [*CLEAN, *NOISE]}


def test_each_person_gets_the_photos_of_those_who_look_alike():
    case = lookalikes([*CLEAN, *NOISE], vectors(), shares=[0.5])
    assert Counter((p.claimed, p.kind) for p in case) == {
        (person, kind): 4 for person in "AB" for kind in ("clean", "outlier")
    }
    of_a = {p.person for p in case if p.claimed == "A" and p.kind == "outlier"}
    assert of_a == {"O1", "O3", "O5", "O7"}, "these have the vector of A"
    assert len({p.file for p in case}) == len(case), "each picture once"


def test_the_share_is_that_of_each_persons_photos(tmp_path):
    case = lookalikes([*CLEAN, *NOISE], vectors(), shares=[0.25])
    assert sum(p.kind == "outlier" for p in case) == 2  # of 5 photos each, rounded
    with pytest.raises(UserError, match="give a folder with photos"):
        read_photos(tmp_path / "nowhere")
