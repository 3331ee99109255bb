"""A drawn world of embeddings: the same in any process, noise as in its truth, found by the stages, counted by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flows.benchmark.drawn.label_quality import score_identities
from flows.benchmark.noise import noise
from flows.benchmark.peer_methods import SETTINGS, Data
from flows.benchmark.peers import peers
from flows.benchmark.world import DrawnTables, world
from pipeline.errors import UserError
from pipeline.tables.columns import vectors
from tests.builders.file_trees import file_bytes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnTables:
    return world(str(tmp_path_factory.mktemp("world")), identities=60, faces=1500, dim=128)


def test_all_tables_have_the_same_rows_and_the_planted_kinds(drawn: DrawnTables) -> None:
    tables = (drawn.photos, drawn.faces, drawn.embeddings, drawn.truth)
    ids = [t.read(["face_id"])["face_id"].to_pylist() for t in tables]
    assert all(i == ids[0] for i in ids)
    assert len(set(ids[0])) == len(ids[0])
    assert abs(len(ids[0]) - 1500) < 60
    truth = drawn.truth.read().to_pylist()
    names = [t["identity"] for t in truth]
    assert names == sorted(names)
    x = vectors(drawn.embeddings.read(["x"])["x"])[0].astype(np.float32)
    assert np.allclose(np.linalg.norm(x, axis=1), 1, atol=2e-3)
    clean = [i for i, t in enumerate(truth) if t["kind"] == "clean"]
    left, right = np.array(clean[:-1]), np.array(clean[1:])
    person = np.array([t["person"] for t in truth])
    cosine = np.einsum("nd,nd->n", x[left], x[right])
    assert cosine[person[left] == person[right]].mean() > 0.5
    assert abs(cosine[person[left] != person[right]].mean()) < 0.1
    kinds = {row["kind"]: row["photos"] for row in drawn.rows()}
    assert kinds["stranger"] / len(truth) == pytest.approx(0.15, abs=0.04)
    assert kinds["copy"] > 5


def test_it_is_the_same_in_processes_and_another_with_another_seed(drawn: DrawnTables, tmp_path: Path) -> None:
    again = world(str(tmp_path / "again"), identities=60, faces=1500, dim=128, workers="2")
    assert file_bytes(Path(again.root)) == file_bytes(Path(drawn.root))
    other = world(str(tmp_path / "other"), identities=60, faces=1500, dim=128, seed=1)
    assert other.truth.read() != drawn.truth.read()


def test_planted_noise_is_found_and_every_limit_is_measured(drawn: DrawnTables, tmp_path: Path) -> None:
    here = world(str(tmp_path / "w"), identities=60, faces=1500, dim=128)
    trial = noise(here.root)
    assert [r["stage"] for r in trial.rows()][:3] == ["calibration", "copies", "clusters"]
    judged = {k: float(v) for row in trial.found for k, v in row.items()}
    assert judged["F1"] > 0.95
    assert judged["duplicates: recall"] > 0.9
    assert judged["clean photos lost"] < 0.02
    assert min(trial.seconds, trial.reading, trial.products, trial.peak_gb) > 0


class Rows(list):
    """Tables as they come shard by shard."""

    def batches(self, columns):
        return (pa.table({c: rows[c] for c in columns}) for rows in self)


def test_merged_and_split_identities_are_counted_by_hand() -> None:
    """a and b show one person, c and d two; e shows 5 and a second person 6, f only 7."""
    claimed, person = "aabbccddeeefff", [1, 1, 1, 1, 3, 3, 4, 4, 5, 5, 6, 7, 7, 7]
    kept = [*"aaaaccddee", "e~1", "f", "f", "f~1"]
    kind = ["clean"] * 10 + ["second", "clean", "clean", "clean"]
    reason = ["split" if "~" in to else "" for to in kept]
    labels = Rows([{"identity": pa.array(kept), "reason": pa.array(reason)}])
    truth = Rows([{"identity": pa.array(list(claimed)), "person": pa.array(person), "kind": pa.array(kind)}])
    merged, split = score_identities(labels, truth)
    assert merged == {"people under two identities: precision": "1.0000", "recall": "1.0000", "planted": 1}
    assert split == {"identities of two people: precision": "0.5000", "recall": "1.0000", "planted": 1}
    kept[6:8] = "cc"  # d is merged into c, e's second person is removed, and f is whole again
    kept[10], kept[13], reason[10], reason[13] = None, "f", "outlier", ""
    labels = Rows([{"identity": pa.array(kept), "reason": pa.array(reason)}])
    merged, split = score_identities(labels, truth)
    assert (merged["people under two identities: precision"], merged["recall"]) == ("0.5000", "1.0000")
    assert (split["identities of two people: precision"], split["recall"]) == ("0.0000", "0.0000")


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give at least 2 identities, 2 photos of each, and embeddings of 8 numbers"):
        world(str(tmp_path), identities=1)
    with pytest.raises(UserError, match="holds 0 tables called photos"):
        noise(str(tmp_path))


@pytest.mark.slow
def test_other_methods_are_measured_on_the_same_world(drawn: DrawnTables) -> None:
    methods = ["refinery", "clusters", "centre", "cleanlab"]
    by_method = {row["method"]: row for row in peers(drawn.root, only=methods).rows()}
    assert list(by_method) == methods
    f1 = {method: float(row["F1"]) for method, row in by_method.items()}
    assert min(f1["refinery"], f1["clusters"]) > 0.9
    assert all(0 < value <= 1 for value in f1.values())
    assert min(float(row["CPU seconds"]) for row in by_method.values()) > 0
    with pytest.raises(UserError, match="--only nobody: give some of refinery, clusters, centre, dbscan"):
        peers(drawn.root, only=["nobody"])


def test_photos_that_the_other_methods_keep_by_hand() -> None:
    east, north = np.eye(8, dtype=np.float32)[:2]
    data = Data(np.stack([east, east, north, north, north, east]), np.array([0, 0, 0, 1, 1, 1]))
    for method in ("centre", "dbscan", "neighbours"):
        run, _ = SETTINGS[method]
        assert run(data, 0.5).tolist() == [True, True, False, True, True, False]
    for identity in (data.identity, 1 - data.identity):  # identities in either order
        assert SETTINGS["cleanlab"][0](data._replace(identity=identity), 16.0).tolist() == [
            True,
            True,
            False,
            True,
            True,
            False,
        ]
