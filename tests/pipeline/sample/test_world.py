import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.faces.picture import UnreadablePhoto, decode
from pipeline.sample.drawing.portraits import DrawnPhoto
from pipeline.sample.lfw_pairs import pairs_txt
from pipeline.sample.photo_bytes import _crop, photo_bytes
from pipeline.sample.world import draw_world
from pipeline.sample.world_plan import JUNK, Picture, PlannedPhoto, plan_world
from pipeline.sources.formats import image_folder
from pipeline.sources.test_sets import photo_sets

OPTIONS = {"people": 4, "photos": 24, "seed": 9, "test_people": 2}


def listing(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def has_processes(group: int) -> bool:
    """Whether a process of this group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample") / "world"
    return out, draw_world(out, workers=2, **OPTIONS)


def test_the_true_labels_cover_every_photo(world):
    out, account = world
    truth = table(out / "truth.tsv")
    assert {t["path"] for t in truth} == {str(p.relative_to(out / "photos")) for p in out.glob("photos/*/*")}
    assert list(truth[0]) == ["path", "claimed", "person", "kind", "of"]
    persons = {row["claimed"]: row["persons"].split() for row in table(out / "identities.tsv")}
    assert all((t["person"] in persons[t["claimed"]]) == (t["kind"] in ("clean", "duplicate")) for t in truth)
    assert {row["identity"] for row in table(out / "groups.csv")} == set(persons)
    tested = {p.name for p in (out / "test").iterdir() if p.is_dir()}
    overlap = table(out / "overlap.tsv")
    assert overlap
    assert all(row["person"] in tested and row["person"] in persons[row["claimed"]] for row in overlap)
    assert account.photos == len(truth) == 24
    assert account.drawn == 24 + account.test_photos == 48


def test_the_pipeline_reads_photos_and_test_set(world):
    out, _ = world
    read = [p for part in image_folder.parts(out / "photos") for p in image_folder.index(part)]
    assert len(read) == 24
    pairs = photo_sets.pairs(out / "pairs.txt")
    assert sum(p.same for p in pairs) * 2 == len(pairs) > 20
    assert all((p.a.split("/")[0] == p.b.split("/")[0]) == p.same for p in pairs)


def test_every_process_draws_the_same_bytes(world):
    out, _ = world
    plan = plan_world(9, people=4, photos=24, test_people=2)
    for photo in plan.photos[::7]:
        assert (out / "photos" / photo.path).read_bytes() == photo_bytes(9, photo)


def test_missing_files_are_drawn_again_and_existing_files_are_kept(world):
    out, _ = world
    before = listing(out)
    lost = [p for p in sorted(before) if p.endswith(".jpg")][3::17]
    for name in [*lost, "truth.tsv"]:
        (out / name).unlink()
    kept = next(p for p in before if p.endswith(".jpg") and p not in lost)
    written = (out / kept).stat().st_mtime_ns
    assert draw_world(out, workers=1, **OPTIONS).drawn == len(lost)
    assert listing(out) == before
    assert (out / kept).stat().st_mtime_ns == written
    assert draw_world(out, **OPTIONS).drawn == 0


def test_a_world_with_other_options_is_refused_in_the_same_folder(world):
    out, _ = world
    before = listing(out)
    with pytest.raises(UserError, match="another world"):
        draw_world(out, **{**OPTIONS, "seed": 8})
    assert listing(out) == before


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        draw_world(tmp_path / "file" / "world", workers=1, **OPTIONS)


@pytest.mark.slow
def test_an_interrupted_world_is_finished_with_the_same_files_and_its_processes_end(world, tmp_path):
    out, _ = world
    call = f"draw_world(Path({str(tmp_path / 'w')!r}), workers=2, **{OPTIONS!r})"
    code = f"from pathlib import Path; from pipeline.sample.world import draw_world; {call}"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as started:
        until = time.monotonic() + 300
        while len(list(tmp_path.glob("w/photos/*/*.jpg"))) < 5:
            assert time.monotonic() < until
            time.sleep(0.05)
        started.kill()
    assert not (tmp_path / "w" / "truth.tsv").exists()
    until = time.monotonic() + 60
    while has_processes(started.pid):
        assert time.monotonic() < until, "processes that drew are left"
        time.sleep(0.1)
    drawn = draw_world(tmp_path / "w", workers=1, **OPTIONS).drawn
    assert 0 < drawn < 48
    finished = {n: b for n, b in listing(tmp_path / "w").items() if not n.endswith(".tmp")}
    assert finished == listing(out)


@pytest.mark.parametrize("kind", JUNK)
def test_junk_cannot_be_decoded_or_shows_no_person(kind):
    data = photo_bytes(1, PlannedPhoto("m.1/0001.jpg", "m.1", "junk", None, junk=kind))
    if kind == "nobody":
        assert decode(data).shape == (260, 300, 3)
    else:
        with pytest.raises(UnreadablePhoto):
            decode(data)


def test_a_duplicate_shows_the_same_picture_in_other_bytes():
    picture = Picture(3, 0)
    original = photo_bytes(2, PlannedPhoto("m.1/0001.jpg", "m.1", "clean", picture))
    planned = [PlannedPhoto(f"m.1/{i:04}.jpg", "m.1", "duplicate", picture, duplicate_number=1) for i in range(2, 6)]
    duplicates = [photo_bytes(2, photo) for photo in planned]
    assert len({original, *duplicates}) == 5
    whole = decode(original).mean((0, 1))
    assert all(np.abs(decode(c).mean((0, 1)) - whole).max() < 60 for c in duplicates)


def test_the_crop_of_a_duplicate_keeps_the_face():
    y, x = np.mgrid[:200, :240]
    pixels = np.stack([x, y, 0 * x], -1).astype(np.uint8)
    drawn = DrawnPhoto(pixels, np.array([[10.0, 40, 230, 180]]), np.zeros((1, 5, 2)), (0,))
    rng, cuts = np.random.default_rng(0), []
    for _ in range(50):
        part = _crop(pixels, drawn, rng)
        left, top = part[0, 0, :2]
        right, bottom = part[-1, -1, :2]
        assert left <= 10
        assert right >= 229
        assert top <= 25
        assert bottom >= 180
        cuts.append(part.shape)
    assert len(set(cuts)) > 20


@pytest.mark.parametrize(("people", "folds", "pairs_of_kind"), [(2, 1, 32), (6, 3, 32), (45, 10, 60)])
def test_folds_of_pairs_share_no_person(people, folds, pairs_of_kind):
    names = [f"P{i}" for i in range(people)]
    head, *lines = pairs_txt(4, names).splitlines()
    count, each = map(int, head.split())
    assert (count, each) == (folds, pairs_of_kind)
    assert len(lines) == 2 * folds * each
    assert len(set(lines)) == len(lines)
    people_of_folds = []
    for i in range(folds):
        rows = [line.split("\t") for line in lines[2 * each * i : 2 * each * (i + 1)]]
        assert [len(r) for r in rows] == [3] * each + [4] * each
        assert all(r[1] != r[2] for r in rows if len(r) == 3)
        assert all(r[0] != r[2] for r in rows if len(r) == 4)
        people_of_folds.append({r[0] for r in rows} | {r[2] for r in rows if len(r) == 4})
    assert sum(map(len, people_of_folds)) == len(set().union(*people_of_folds)) <= people
