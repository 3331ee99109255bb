"""All stages of finding noise on a drawn data set with every kind of planted noise, up to the labels."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from pipeline import schema
from pipeline.faces.sketch import sketch_tones, tone_hashes
from pipeline.noise import person_gallery
from pipeline.noise.pictures.same_picture import near_hashes
from pipeline.noise.search import neighbours, pq_codes
from pipeline.noise.stages import find_noise
from pipeline.refined.labels import label
from tests.builders.photos.duplicates import duplicate_of, sketch_of
from tests.builders.tables.drawn_vectors import person, photos_of, picture, tables, unit
from tests.builders.tables.planted_noise import planted_noise


def weaker_embedder(x, rng):
    """The vectors of the same faces by a weaker embedder."""
    return [None if v is None else unit(v + rng.normal(size=v.shape) * 0.3 / np.sqrt(len(v))) for v in x]


def refined(root: str, seed: int, *, both: bool, workers=None, undecided="keep", memory_bytes=None):
    world = planted_noise(seed)
    rows, tests = world.rows, world.test_rows
    photos, faces, first = tables(f"{root}/a", rows)
    t_faces, t_first = tables(f"{root}/a", tests, source="t")[1:]
    embeddings, t_embeddings = [first], [t_first]
    if both:
        for faces_of, embedded, source in ((rows, embeddings, "s2"), (tests, t_embeddings, "t2")):
            x = weaker_embedder([r[2] for r in faces_of], world.rng)
            second = [(r[0], r[1], v, r[3]) for r, v in zip(faces_of, x, strict=True)]
            embedded.append(tables(f"{root}/a", second, source=source)[2])
    noise = find_noise(
        f"{root}/a", faces, embeddings, tests=[(t_faces, t_embeddings)], workers=workers, memory_bytes=memory_bytes
    )
    labels = label(f"{root}/a", photos, noise, undecided=undecided, min_faces=2, workers=workers).labels
    return labels, noise, world.truth


@pytest.mark.parametrize("both", [False, True])
def test_every_planted_noise_is_found(tmp_path, both):
    labels, noise, truth = refined(str(tmp_path), 0, both=both)
    fate = {r["key"]: r for r in labels.read().to_pylist()}
    assert set(fate) == set(truth)
    reasons = defaultdict(Counter)
    for key, (kind, _) in truth.items():
        reasons[kind][fate[key]["reason"] if fate[key]["identity"] is None else "stays"] += 1
    overlapping = {k for k in truth if fate[k]["reason"] == "overlap"}
    assert {fate[k]["claimed"] for k in overlapping} == {"p00", "q00", "p55"}
    assert reasons["outlier"]["stays"] <= 2
    assert reasons["clean"]["outlier"] <= 2
    assert reasons["duplicate"] == {"duplicate": 3}
    assert reasons["bystander"] == {"outlier": 3}
    assert reasons["no_face"] == {"no_face": 1}
    assert reasons["unnamed"] == {"unnamed": 1}
    persons = defaultdict(set)
    for key, (kind, shown) in truth.items():
        if kind in ("clean", "flip") and fate[key]["identity"]:
            persons[fate[key]["identity"]].add(shown)
    assert all(len(shown) == 1 for shown in persons.values())  # no identity holds two persons
    identities = {n: {i for i, s in persons.items() if n in s} for n in (1, 2, 3, 110, 111, 112, 30, 31, 32, 33)}
    assert all(len(names) == 1 for names in identities.values())  # these were merged, split or relabelled
    assert noise.thresholds["outlier"] > 0


@pytest.mark.slow
def test_a_second_run_finds_the_tables_and_undecided_photos_are_dropped_on_request(tmp_path):
    kept, noise, _ = refined(str(tmp_path), 1, both=True)
    again, second_noise, _ = refined(str(tmp_path), 1, both=True)
    assert (again.address, second_noise.findings.address) == (kept.address, noise.findings.address)
    dropped = refined(str(tmp_path), 1, both=True, undecided="drop")[0].read()
    assert dropped["identity"].null_count >= kept.read()["identity"].null_count


@pytest.mark.slow
def test_processes_make_the_same_bytes_as_threads(tmp_path):
    by_threads = refined(str(tmp_path / "1"), 2, both=True)
    by_processes = refined(str(tmp_path / "2"), 2, both=True, workers=2)
    for a, b in zip((by_threads[0], *by_threads[1][:5]), (by_processes[0], *by_processes[1][:5]), strict=True):
        assert [s.digest for s in a.shards] == [s.digest for s in b.shards]


@pytest.mark.slow
def test_a_memory_limit_changes_no_byte_and_no_address(tmp_path):
    unlimited, little = (refined(str(tmp_path / str(m)), 2, both=True, memory_bytes=m) for m in (None, 1))
    for a, b in zip((unlimited[0], *unlimited[1][:5]), (little[0], *little[1][:5]), strict=True):
        assert (a.address, [s.digest for s in a.shards]) == (b.address, [s.digest for s in b.shards])


@pytest.mark.slow
def test_codes_of_few_persons_find_what_an_exact_search_finds(tmp_path, monkeypatch):
    exact = refined(str(tmp_path / "exact"), 2, both=False)[1].findings
    monkeypatch.setattr(neighbours, "MIN_CODED_ROWS", 10)
    monkeypatch.setattr(pq_codes, "MAX_ERROR", 1.0)
    monkeypatch.setattr(neighbours, "MIN_BLOCK_ROWS", 4)
    person_gallery._read_persons.cache_clear()
    coded = refined(str(tmp_path / "coded"), 2, both=False, memory_bytes=1)[1].findings
    assert len(exact) > 5
    assert coded.read() == exact.read()


def test_a_data_set_without_faces_is_removed_with_reasons(tmp_path):
    photos, faces, embeddings = tables(str(tmp_path), [("a/1", "a", None, 1), ("a/2", "a", None, 2)])
    noise = find_noise(str(tmp_path), faces, [embeddings])
    labels = label(str(tmp_path), photos, noise, undecided="keep", min_faces=2).labels
    assert labels.read()["reason"].to_pylist() == ["no_face", "no_face"]


def test_a_single_identity_with_two_photos_is_kept(tmp_path):
    rng = np.random.default_rng(0)
    x = photos_of(person(rng), 2, rng)
    photos, faces, embeddings = tables(str(tmp_path), [("a/1", "a", x[0], 1), ("a/2", "a", x[1], 2)])
    noise = find_noise(str(tmp_path), faces, [embeddings])
    labels = label(str(tmp_path), photos, noise, undecided="keep", min_faces=2).labels
    assert labels.read()["identity"].to_pylist() == ["a", "a"]


def test_a_picture_under_two_identities_is_a_conflict_and_one_in_a_test_set_an_overlap(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        (f"p{p}/{k}", f"p{p}", x, 100 * p + k) for p in range(40) for k, x in enumerate(photos_of(person(rng), 5, rng))
    ]
    rows[0] = ("p0/0", "p0", rows[5][2], rows[5][3])  # the picture p1/0 also lies under p0
    photos, faces, embeddings = tables(str(tmp_path), sorted(rows))
    leak = [("t/0", "somebody", rows[30][2], rows[30][3])]
    _, t_faces, t_embeddings = tables(str(tmp_path), leak, source="t")
    noise = find_noise(str(tmp_path), faces, [embeddings], tests=[(t_faces, [t_embeddings])])
    findings = {(r["kind"], r["subject"], r["object"]) for r in noise.findings.read().to_pylist()}
    first, second, leaked = (schema.face_id("s", key) for key in ("p0/0", "p1/0", rows[30][0]))
    assert ("conflict", first, second) in findings or ("conflict", second, first) in findings
    assert ("overlap", leaked, schema.face_id("t", "t/0")) in findings
    assert len(photos) == 200


def test_a_mirrored_picture_under_two_merged_identities_is_kept_once(tmp_path):
    """Its hash shares no quarter with the original's, so the search in the whole data set does not find it."""

    def draw(number):
        return picture(number) if number < 1000 else duplicate_of(picture(number - 1000)[:, ::-1], shift=1.0)

    rng = np.random.default_rng(3)
    rows = []
    for p in range(40):
        x = photos_of(person(rng), 10, rng)
        rows += [(f"p{p:02}/{k}", f"p{p:02}", v, 100 + 10 * p + k) for k, v in enumerate(x[: 5 if p else 10])]
    second = [(f"q/{k}", "q", v, number) for k, (_, _, v, number) in enumerate(rows[5:10])]  # the person of p00
    rows = [*rows[:5], *rows[10:], *second]
    rows[-1] = ("q/4", "q", rows[1][2], rows[1][3] + 1000)
    hashes = tone_hashes(sketch_tones(np.stack([sketch_of(draw(rows[k][3])) for k in (1, -1)])))
    assert not len(near_hashes(hashes)[0])
    photos, faces, embeddings = tables(str(tmp_path), rows, draw=draw)
    noise = find_noise(str(tmp_path), faces, [embeddings])
    labels = label(str(tmp_path), photos, noise, undecided="keep", min_faces=2).labels
    fate = {r["key"]: (r["identity"], r["reason"]) for r in labels.read().to_pylist()}
    both = [fate["p00/1"], fate["q/4"]]
    assert {reason for identity, reason in both if identity is None} == {"duplicate"}
    kept = [identity for key, (identity, _) in fate.items() if key.startswith(("p00/", "q/")) and identity]
    assert len(kept) == 9
    assert len(set(kept)) == 1
