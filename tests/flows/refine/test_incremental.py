"""A data set that changes: models run on new photos only, and the tables are those of a run in a new root."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import pytest

from pipeline.faces import extract
from pipeline.faces.detect import OnnxDetector
from pipeline.faces.embed import OnnxEmbedder
from pipeline.refinement import latest
from pipeline.sources.index import PhotoRow
from tests.builders.small_world import World

pytestmark = [pytest.mark.material, pytest.mark.slow]


@pytest.fixture
def input_counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    """How many pictures the detector got, and how many faces each embedder."""
    count: Counter = Counter()
    detect, embed = OnnxDetector.__call__, OnnxEmbedder.__call__
    monkeypatch.setattr(OnnxDetector, "__call__", lambda self, image: count.update(["photos"]) or detect(self, image))
    monkeypatch.setattr(
        OnnxEmbedder,
        "__call__",
        lambda self, faces: count.update({Path(self.model).stem: len(faces)}) or embed(self, faces),
    )
    return count


@pytest.fixture(scope="module")
def begun(few: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the photos of a few identities, and with a refinement of them in `root`."""
    folder = tmp_path_factory.mktemp("growing")
    shutil.copytree(few.photos, folder / "photos")
    World(folder / "photos", [], one_embedder(few)).refine(folder / "root", shards=4)
    return folder


@pytest.fixture
def growing(few: World, begun: Path, tmp_path: Path) -> World:
    """These photos, to be changed, and the refinement of them in tmp_path/root."""
    shutil.rmtree(begun / "photos")
    shutil.copytree(few.photos, begun / "photos")  # as they were, at the same place
    shutil.copytree(begun / "root", tmp_path / "root")
    return World(begun / "photos", [], one_embedder(few))


def one_embedder(world: World) -> dict[str, str]:
    """The models without the second embedder, which doubles what the tests take."""
    return {name: model for name, model in world.models.items() if name != "second_embedder"}


def rows(root: Path) -> dict[str, list[str]]:
    """The digests of all shards of a refinement, by role."""
    return {role: [s.digest for s in table.shards] for role, table in latest(str(root)).tables.items()}


def further_faces(root: Path) -> set[tuple[str, str]]:
    """The further faces of photos that were embedded, with their table: in doubt, or for the calibration."""
    refinement = latest(str(root))
    tables = [table for table in (refinement.doubts, refinement.companions) if table]
    return {(t.name, face) for t in tables for face in t.read(["face_id"])["face_id"].to_pylist()}


def inputs(world: World, *, photos: int, faces: int) -> dict[str, int]:
    """The counts of a run whose detector got so many photos, and its embedder so many faces."""
    return {"photos": photos, Path(world.models["embedder"]).stem: faces}


def first(world: World, number: int) -> Path:
    """A photo with a face of the identity of this number."""
    name = sorted(p for p in world.photos.iterdir() if p.is_dir())[number]
    return next(p for p in sorted(name.glob("*.jpg")) if p.stat().st_size > 5000)


def test_models_run_on_new_and_changed_photos_only(growing: World, input_counts: Counter, tmp_path: Path) -> None:
    new, changed = first(growing, 0), first(growing, 3)
    shutil.copy(first(growing, 5), new.with_name("new.jpg"))
    image = cv2.imread(str(changed))
    cv2.imwrite(str(changed), cv2.convertScaleAbs(image, alpha=0.9))
    first(growing, 7).unlink()
    input_counts.clear()
    before = further_faces(tmp_path / "root")
    growing.refine(tmp_path / "root", shards=4)
    new_further = len(further_faces(tmp_path / "root") - before)
    assert input_counts == inputs(growing, photos=2, faces=2 + new_further)
    growing.refine(tmp_path / "afresh", shards=4)
    assert rows(tmp_path / "root") == rows(tmp_path / "afresh")


def test_no_photo_is_processed_twice_with_a_further_source_or_another_number_of_shards(
    growing: World, input_counts: Counter, tmp_path: Path
) -> None:
    (tmp_path / "second/somebody").mkdir(parents=True)
    for number in range(3):
        shutil.copy(first(growing, number), tmp_path / f"second/somebody/{number}.jpg")
    both = ["image-folder", str(growing.photos), "image-folder", str(tmp_path / "second")]
    input_counts.clear()
    before = further_faces(tmp_path / "root")
    growing.refine(tmp_path / "root", *both, shards=6)
    new_further = len(further_faces(tmp_path / "root") - before)
    assert input_counts == inputs(growing, photos=3, faces=3 + new_further)
    growing.refine(tmp_path / "afresh", *both, shards=6)
    assert rows(tmp_path / "root") == rows(tmp_path / "afresh")


def test_another_rule_runs_no_model_and_another_embedder_only_itself(
    growing: World, few: World, input_counts: Counter, tmp_path: Path
) -> None:
    input_counts.clear()
    growing.refine(tmp_path / "root", shards=4, undecided="drop", min_faces=3)
    assert not input_counts
    World(growing.photos, [], few.models).refine(tmp_path / "root", shards=4)
    assert set(input_counts) == {Path(few.models["second_embedder"]).stem}
    input_counts.clear()
    growing.refine(tmp_path / "root", shards=4, flip="add")
    assert set(input_counts) == {Path(growing.models["embedder"]).stem}


def test_photos_that_could_not_be_read_are_tried_again(
    few: World, input_counts: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo is away while the faces are made. Then it is back, the same, and so the photos table is, too."""
    photos = shutil.copytree(few.photos, tmp_path / "photos", symlinks=True)
    world, away = World(photos, [], one_embedder(few)), tmp_path / "away.jpg"
    photo = first(world, 2)
    read = extract.read_photo

    def read_without_one(row: PhotoRow, locations: dict) -> bytes:
        with suppress(FileNotFoundError):  # of two threads that read photos, one moves it
            photo.rename(away)
        return read(row, locations)

    with monkeypatch.context() as patch:
        patch.setattr(extract, "read_photo", read_without_one)
        world.refine(tmp_path / "root", shards=4)
    assert failures(tmp_path / "root") == [f"unreadable: {photo.name} vanished since it was indexed"]
    away.rename(photo)
    input_counts.clear()
    world.refine(tmp_path / "root", shards=4)
    assert input_counts["photos"] == 1  # it alone: what cannot be decoded comes to no detector
    world.refine(tmp_path / "afresh", shards=4)
    assert rows(tmp_path / "root") == rows(tmp_path / "afresh")
    input_counts.clear()
    world.refine(tmp_path / "root", shards=4)
    assert not input_counts


def failures(root: Path) -> list[str]:
    """The failures of photos that are no junk: their bytes did not come."""
    table = latest(str(root)).faces.read(["failure", "sha"]).to_pylist()
    return [row["failure"] for row in table if row["failure"] and row["sha"] is None]
