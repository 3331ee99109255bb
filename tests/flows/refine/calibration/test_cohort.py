"""A model's cohort: kept by the model's digest, found again, whole, in the same order for two models."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.refine.calibration.cohort import copy_cohorts, find_cohorts, has_few_identities, keep_cohort
from pipeline.noise.scores.calibrate import FEW_IDENTITIES
from tests.builders.tables.drawn_vectors import DIM, person, tables


@dataclass(frozen=True)
class NamedEmbedder:
    """What a cohort needs to know of an embedder."""

    model: str

    @property
    def named_by(self) -> list[Any]:
        """The model's name stands for its digest."""
        return ["embedder", self.model, "none"]

    @property
    def dim(self) -> int:
        """The length of drawn vectors."""
        return DIM

    def __call__(self, faces: Any, /) -> Any:
        """Never called: the vectors are drawn."""
        raise AssertionError("no face is embedded")


ONE, TWO = NamedEmbedder("one"), NamedEmbedder("two")


def people(count: int, *, faces: int = 4) -> list[tuple[str, str | None, Any, int]]:
    rng = np.random.default_rng(0)
    named = [(f"p{i}/{k}.jpg", f"p{i}", person(rng), faces * i + k) for i in range(count) for k in range(faces)]
    return [*named, ("alone.jpg", None, person(rng), 9999), ("nobody.jpg", None, None, 9998)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFINERY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_cohort_is_kept_by_its_model_with_few_faces_of_each_person(tmp_path: Path) -> None:
    embeddings = tables(str(tmp_path / "a"), people(5))[2]
    assert find_cohorts([ONE]) == []
    kept = keep_cohort(embeddings, ONE, "others")
    found = find_cohorts([ONE])
    assert [(c.name, c.embeddings.address) for c in found] == [("others", kept.embeddings.address)]
    rows = found[0].embeddings.read().to_pylist()
    assert len(rows) == 5 * 3 + 1  # three faces of each person, and the face without a name; none without a face
    assert len({row["identity"] for row in rows}) == 6
    assert find_cohorts([TWO]) == []
    assert find_cohorts([ONE, TWO]) == []


def test_cohorts_of_two_models_have_the_same_faces_in_the_root(tmp_path: Path) -> None:
    first, second = (tables(str(tmp_path / name), people(n))[2] for name, n in (("a", 5), ("b", 4)))
    keep_cohort(first, ONE, "others")
    keep_cohort(second, TWO, "others")
    copied = copy_cohorts(str(tmp_path / "root"), find_cohorts([ONE, TWO]))
    ids = [table.read(["face_id"])["face_id"].to_pylist() for table in copied]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 4 * 3 + 1
    assert all(table.root == str(tmp_path / "root") for table in copied)


@pytest.mark.parametrize("what", ["record", "shard"])
def test_a_damaged_cohort_is_not_used(tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture, what: str) -> None:
    keep_cohort(tables(str(tmp_path / "a"), people(3))[2], ONE, "others")
    record = next((cache / "cohorts").glob("*.json"))
    shard = next((cache / "cohorts").rglob("*.parquet"))
    if what == "record":
        record.write_text("{")
    else:
        shard.write_bytes(shard.read_bytes()[:-9] + b"different")
    assert find_cohorts([ONE]) == []
    assert "refinery calibrate" in caplog.text


def test_a_cohort_is_for_data_of_few_identities(tmp_path: Path) -> None:
    few, many = (tables(str(tmp_path / str(n)), people(n, faces=1))[0] for n in (5, FEW_IDENTITIES + 1))
    assert has_few_identities(few)
    assert not has_few_identities(many)
