"""The choice between the faces of photos of several people, from photos to the tables that the noise stages read."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from flows.refine.several_faces.choice import ChosenFaces, MainFaces, build_candidates, choose_faces
from flows.refine.several_faces.companions import build_companions
from flows.refine.tables import build_all_embeddings, build_faces, build_photos
from pipeline.faces.picture import decode
from pipeline.noise.choice.companions import sampled_hashes
from pipeline.noise.running.person_stages import find_persons
from pipeline.refinement import FormerTables
from pipeline.sources.index import Source
from pipeline.tables.columns import vectors
from pipeline.tables.table import Table
from tests.builders.photos.tile_photos import TileDetector, TileEmbedder, tile, write_tile_photos

pytestmark = pytest.mark.slow

NOTHING = FormerTables(None, None)
Photos = dict[str, Sequence[tuple[int, int]]]


class Run(NamedTuple):
    """A run up to the chosen faces, and its models, which count what they do."""

    main: MainFaces
    chosen: ChosenFaces
    detector: TileDetector
    embedder: TileEmbedder

    @property
    def former(self) -> FormerTables:
        return FormerTables(self.main.photos, self.main.faces, self.chosen.doubts)


def run(root: Path, photos: Path, *, former: FormerTables = NOTHING) -> Run:
    detector, embedder = TileDetector(), TileEmbedder()
    table, locations = build_photos(str(root), [Source("photos", "image-folder", str(photos))], shards=4)
    faces = build_faces(str(root), table, locations, detector, aligned=False, former=former.photos)
    main = MainFaces(table, faces, build_all_embeddings(str(root), faces, [embedder], former=former.faces))
    candidates = build_candidates(str(root), main, locations, detector, former=former)
    chosen = choose_faces(str(root), main, candidates, (detector, [embedder]), former=former)
    return Run(main, chosen, detector, embedder)


def person_of_faces(photos: Table, faces: Table, people: int = 40) -> dict[str, int]:
    """By key whom the photo's face shows."""
    rng, embed = np.random.default_rng(1), TileEmbedder()
    known = embed(np.stack([tile(p, 112, rng) for p in range(people)]))
    keys, jpegs = photos.read(["key"])["key"].to_pylist(), faces.read(["jpeg"])["jpeg"].to_pylist()
    shown = embed(np.stack([decode(jpeg) for jpeg in jpegs]))
    return dict(zip(keys, (shown @ known.T).argmax(1).tolist(), strict=True))


def alone(identities: int, photos: int) -> Photos:
    """Photos of one person each: identity i shows person i."""
    return {f"id{i:02}/{n}.png": [(i, 60)] for i in range(identities) for n in range(photos)}


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """Twelve identities; in the photos a and b of each the rule takes another person's face, in c it does not."""
    folder = tmp_path_factory.mktemp("group")
    photos = alone(12, 4)
    for i in range(12):
        photos[f"id{i:02}/a.png"] = [(i, 50), (20 + i, 80), ((i + 1) % 12, 40)]
        photos[f"id{i:02}/b.png"] = [((i + 2) % 12, 60), (33, 60), (i, 55)]
        photos[f"id{i:02}/c.png"] = [(30, 40), (i, 90), (31, 40)]
    photos["id00/flip.png"] = [(7, 50), (34, 90), (35, 40)]  # shows the person of id07 beside two unknown ones
    photos["id01/outlier.png"] = [(36, 90), (37, 50)]
    write_tile_photos(folder / "photos", photos)
    return folder, run(folder / "root", folder / "photos")


def test_the_face_that_fits_the_other_photos_is_chosen(group: tuple[Path, Run]) -> None:
    _, (main, chosen, *_) = group
    by_rule, by_choice = (person_of_faces(main.photos, faces) for faces in (main.faces, chosen.faces))
    named = {key: int(key[2:4]) for key in by_rule if not key.endswith(("flip.png", "outlier.png"))}
    assert [k for k, person in named.items() if by_rule[k] != person] == [
        k for k in named if k.endswith(("a.png", "b.png"))
    ], "the rule is wrong in these"
    assert {k: by_choice[k] for k in named} == named


def test_a_misplaced_photo_shows_the_face_that_matches_elsewhere_and_an_outlier_keeps_its_face(
    group: tuple[Path, Run],
) -> None:
    _, (main, chosen, *_) = group
    by_choice = person_of_faces(main.photos, chosen.faces)
    assert person_of_faces(main.photos, main.faces)["id00/flip.png"] == 34
    assert by_choice["id00/flip.png"] == 7
    assert by_choice["id01/outlier.png"] == 36


def test_rows_keep_their_place_and_embeddings_are_those_of_the_chosen_faces(group: tuple[Path, Run]) -> None:
    _, (main, chosen, *_) = group
    before, after = main.faces.read(), chosen.faces.read()
    for same in ("face_id", "identity", "sha", "others", "failure"):
        assert before[same].equals(after[same])
    expected = TileEmbedder()(np.stack([decode(jpeg) for jpeg in after["jpeg"].to_pylist()])) / 10
    x, valid = vectors(chosen.embeddings[0].read(["x"])["x"])
    assert valid.all()
    np.testing.assert_allclose(x.astype(np.float32), expected, atol=1e-3)


def test_only_faces_of_photos_in_doubt_are_embedded(group: tuple[Path, Run]) -> None:
    _, (main, chosen, _, embedder) = group
    assert chosen.candidates is not None
    assert chosen.doubts is not None
    assert len(chosen.candidates) == 12 * 6 + 3
    doubtful = {key for key in person_of_faces(main.photos, main.faces) if key.endswith(("a.png", "b.png"))}
    assert len(chosen.doubts) == 2 * len(doubtful) + 3
    assert embedder.faces == len(main.faces) + len(chosen.doubts) + len(chosen.companions.faces or ())


def test_a_second_run_finds_all_and_a_new_photo_is_the_only_one_that_is_read(
    group: tuple[Path, Run], tmp_path: Path
) -> None:
    folder, first = group
    again = run(folder / "root", folder / "photos", former=first.former)
    assert again.chosen == first.chosen
    assert (again.detector.photos, again.embedder.faces) == (0, 0)
    write_tile_photos(folder / "photos", {"id03/new.png": [(3, 50), (38, 90)]}, seed=1)
    grown = run(folder / "root", folder / "photos", former=first.former)
    assert person_of_faces(grown.main.photos, grown.chosen.faces)["id03/new.png"] == 3
    assert (grown.detector.photos, grown.embedder.faces) == (2, 2), "its main face, and its further face"
    fresh = run(tmp_path / "root", folder / "photos")
    assert [s.digest for s in fresh.chosen.faces.shards] == [s.digest for s in grown.chosen.faces.shards]


def test_without_photos_of_several_faces_the_tables_stay(tmp_path: Path) -> None:
    write_tile_photos(tmp_path / "photos", alone(6, 3))
    main, chosen, *_ = run(tmp_path / "root", tmp_path / "photos")
    assert chosen.candidates is not None
    assert (len(chosen.candidates), chosen.doubts) == (0, None)
    assert chosen.faces is main.faces
    assert chosen.embeddings is main.embeddings


def test_faces_beside_a_sure_main_face_are_impostors_for_the_calibration(group: tuple[Path, Run]) -> None:
    folder, (main, chosen, _, embedder) = group
    root = str(folder / "root")
    found = find_persons(root, main.faces, main.embeddings)
    assert chosen.candidates is not None
    (companions,) = build_companions(root, chosen.candidates, found, [embedder]).embeddings
    x, valid = vectors(companions.read(["x"])["x"])
    assert valid.all()
    assert companions.read(["identity"])["identity"].null_count == len(x) == 24, "two in each photo c"
    rng = np.random.default_rng(1)
    named = TileEmbedder()(np.stack([tile(p, 112, rng) for p in range(12)])) / 10
    assert (x.astype(np.float32) @ named.T).max() < 0.5, "none shows a person of the identities"
    assert [sampled_hashes(n) for n in (1, 600, 601, 10**6)] == [1 << 16, 1 << 16, 1 << 15, 32]


def test_where_a_table_of_the_earlier_run_is_damaged_the_photos_are_read_again(tmp_path: Path) -> None:
    write_tile_photos(tmp_path / "photos", {"a/two.png": [(1, 60), (0, 40)], "a/one.png": [(1, 60)]})
    first = run(tmp_path / "root", tmp_path / "photos")
    write_tile_photos(tmp_path / "photos", {"a/new.png": [(1, 60), (2, 40)]}, seed=1)
    again = run(tmp_path / "root", tmp_path / "photos", former=FormerTables(None, first.main.faces))
    assert again.chosen.candidates is not None
    assert len(again.chosen.candidates) == 2
