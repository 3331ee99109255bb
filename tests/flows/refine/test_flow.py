"""The refinement on real photos with real models: scored, the same from every source, resumed, deterministic."""

import base64
import csv
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.benchmark.review import review
from flows.refine import take_out
from pipeline.refinement import latest
from pipeline.sources.record_io import reader
from tests.builders.file_trees import file_bytes
from tests.builders.mxnet_python import READ_RECORDS, run_python
from tests.builders.small_world import World, fates

pytestmark = pytest.mark.material


def score(material: Path, labels: Path, *, data: Path | None = None) -> dict:
    """What the scorer beside the material says of a refinement of noisy_lfw, or of a part of it."""
    tool = material.parent / "tools/score_refinement.py"
    if not tool.exists():
        pytest.skip(f"{tool} is not there")
    done = subprocess.run(
        [sys.executable, tool, data or material / "noisy_lfw", labels, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


WHOLE = "REFINERY_EVERYTHING" in os.environ


def part_of(material: Path, folder: Path, every: int) -> Path:
    """One name in so many of noisy_lfw with its truth; the data set itself for every name."""
    if every == 1:
        return material / "noisy_lfw"
    with open(material / "noisy_lfw/truth.tsv", newline="") as stream:
        names = set(sorted({r["claimed"] for r in csv.DictReader(stream, delimiter="\t")})[::every])
    folder.mkdir()
    for table in ("truth", "identities", "overlap"):
        with open(material / f"noisy_lfw/{table}.tsv", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="\t")
            rows = [r for r in reader if r["claimed"] in names]
        with open(folder / f"{table}.tsv", "w", newline="") as stream:
            writer = csv.DictWriter(stream, reader.fieldnames or [], delimiter="\t")
            writer.writeheader()
            writer.writerows(rows)
    for name in names:
        shutil.copytree(material / "noisy_lfw/photos" / name, folder / "photos" / name)
    return folder


@pytest.fixture(scope="module")
def noisy_lfw(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every second name of it; all where REFINERY_EVERYTHING is set, which the figures in the README are of."""
    return part_of(material, tmp_path_factory.mktemp("noisy_lfw") / "half", 1 if WHOLE else 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("detector", "second"),
    [
        pytest.param("yunet_n_320_320", True, id="yunet"),
        pytest.param("yunet_n_320_320", False, id="yunet-one-embedder"),
        pytest.param(
            "scrfd_500m", True, id="scrfd", marks=pytest.mark.skipif(not WHOLE, reason="REFINERY_EVERYTHING is not set")
        ),
    ],
)
def test_noisy_lfw_against_known_truth(
    material: Path,
    noisy_lfw: Path,
    models: dict,
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    detector: str,
    second: bool,
) -> None:
    root = tmp_path_factory.getbasetemp() / f"noisy-{detector}"
    options = {**models, "detector": str(material / f"models/{detector}.onnx")}
    if not second:
        del options["second_embedder"]
    World(noisy_lfw / "photos", [], options).refine(root, test_set=[str(material / "noisy_lfw/test")])
    take_out.labels(str(root), tmp_path / "out.tsv")
    found = score(material, tmp_path / "out.tsv", data=noisy_lfw)
    print(detector, "two embedders" if second else "one embedder", json.dumps(found, indent=1))  # noqa: T201
    assert found["photos"] == 4715 if WHOLE else found["photos"] > 2000
    assert found["junk_kept"] == 0
    assert found["noise"]["f1"] >= (0.98 if second else 0.97)
    assert found["clean_lost"] <= 0.015
    if second:
        two_names, two_persons = found["one_person_two_names"], found["two_persons_one_name"]
        assert two_names["joined"] >= 0.9 * two_names["of"]
        assert two_names["identities_with_two_persons_after"] == 0
        assert two_persons["parted"] >= 0.6 * two_persons["of"]
        assert min(found["duplicates"].values()) >= 0.95
        assert found["overlap"]["precision"] >= 0.97
        assert found["overlap"]["recall"] >= (0.94 if WHOLE else 0.92)  # one name missed, of 33 and of 14


@pytest.mark.slow
def test_another_detector_does_as_well_on_a_part(material: Path, models: dict, tmp_path: Path) -> None:
    """One name in eight, faces found by SCRFD."""
    part = part_of(material, tmp_path / "noisy_lfw", 8)
    options = {**models, "detector": str(material / "models/scrfd_500m.onnx")}
    World(part / "photos", [], options).refine(tmp_path / "root")
    take_out.labels(str(tmp_path / "root"), tmp_path / "out.tsv")
    found = score(material, tmp_path / "out.tsv", data=part)
    assert found["junk_kept"] == 0
    assert found["noise"]["f1"] >= 0.96
    assert found["clean_lost"] <= 0.03


@pytest.mark.slow
def test_a_third_of_the_questions_is_enough_in_the_queues_order(
    noisy_lfw: Path, models: dict, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Refined with the weaker embedder alone, so that there is something left to ask; annotators err."""
    root = tmp_path_factory.getbasetemp() / "noisy-yunet_n_320_320"  # faces and vectors may be there already
    weaker = {"detector": models["detector"], "embedder": models["second_embedder"]}
    World(noisy_lfw / "photos", [], weaker).refine(root)
    found = review(str(root), noisy_lfw)
    print("\n".join(found.lines()))  # noqa: T201
    for rate in ("5%", "10%"):
        ordered, drawn = (found.curves[f"{order}, {rate} wrong"] for order in ("ordered", "random"))
        late = next(p for p in drawn if p["asked"] >= 0.85 * drawn[-1]["asked"])
        assert late["f1"] > drawn[0]["f1"]
        assert 3 * next(p["asked"] for p in ordered if p["f1"] >= late["f1"]) <= late["asked"]
        if late["noise"] < drawn[0]["noise"]:
            assert 3 * next(p["asked"] for p in ordered if p["noise"] <= late["noise"]) <= late["asked"]


def tsv(world: World, path: Path) -> Path:
    """The photos as MS-Celeb-1M's cropped faces come: one line each, base64."""
    with open(path, "wb") as stream:
        for row in world.truth:
            rank = row["path"].rsplit("/", 1)[1].split(".")[0]
            box = base64.b64encode(struct.pack("<4f", 0.1, 0.1, 0.9, 0.9))
            data = base64.b64encode((world.photos / row["path"]).read_bytes())
            words = [row["claimed"].encode(), rank.encode(), b"http://i", b"http://p", b"FaceId-0", box, data]
            stream.write(b"\t".join(words) + b"\n")
    return path


def test_an_ms_celeb_tsv_gives_the_same_photos_the_same_fates(world: World, refined: Path, tmp_path: Path) -> None:
    world.refine(tmp_path / "root", "ms-celeb", str(tsv(world, tmp_path / "faces.tsv")))
    found = {k.replace("-FaceId-0", ".jpg"): v for k, v in fates(tmp_path / "root").items()}
    assert same(found, fates(refined))


def same(a: dict, b: dict) -> bool:
    """Whether photos have the same fates; the name of a further person contains a face's id, which differs."""
    plain = [{k: ((v[0] or "").split("~")[0], v[1]) for k, v in f.items()} for f in (a, b)]
    assert {k: (v, plain[1].get(k)) for k, v in plain[0].items() if plain[1].get(k) != v} == {}
    return True


def test_a_megaface_layout_gives_the_same_photos_the_same_fates(world: World, refined: Path, tmp_path: Path) -> None:
    probes = tmp_path / "facescrub"
    names = {}
    for row in world.truth:
        person, file = row["path"].split("/")
        place = probes / person / f"{person}_{int(file.split('.')[0])}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((world.photos / row["path"]).read_bytes())
        names[str(place.relative_to(probes))] = row["path"]
    world.refine(tmp_path / "root", "megaface", str(probes))
    assert same({names[k]: v for k, v in fates(tmp_path / "root").items()}, fates(refined))


@pytest.mark.parametrize("layout", ["identity_ranges", "plain"])
def test_record_io_with_aligned_faces_is_refined_as_it_is(
    material: Path, world: World, tmp_path: Path, layout: str
) -> None:
    folder = material / "record_io" / layout
    outcome = world.refine(tmp_path / "root", "record-io", str(folder), aligned=True)
    records = [p for part in reader.parts(folder) for p in reader.index(part)]
    assert outcome.account.ingested == len(records)
    assert outcome.account.kept >= 0.9 * len(records), "these are clean"
    faces = latest(str(tmp_path / "root")).faces.read()
    kept = {j for j in faces["jpeg"].to_pylist() if j is not None}
    assert kept <= {reader.read(folder, p) for p in records}, "never compressed twice"


def test_one_two_and_four_workers_give_the_same_bytes(few: World, few_refined: Path, tmp_path: Path) -> None:
    for workers in ("1", "2", "4"):
        few.refine(tmp_path / workers, workers=workers, shards=8)
        assert file_bytes(tmp_path / workers) == file_bytes(few_refined)


@pytest.mark.parametrize("line", ["faces: 3 of", "embeddings: 2 of", "clusters: 1 of"])
def test_killed_and_run_again_gives_the_bytes_of_an_undisturbed_run(
    few: World, few_refined: Path, tmp_path: Path, line: str
) -> None:
    root = tmp_path / "root"
    given = {"source": ["image-folder", str(few.photos)], "root": str(root), "shards": 8, **few.models}
    code = (
        "import json, logging, sys; logging.basicConfig(level=logging.INFO, format='%(message)s')\n"
        "from flows.refine.flow import refine; refine.fn(**json.loads(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, json.dumps(given)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        assert any(line in heard for heard in started.stderr), "it must be killed in the middle"
        os.kill(started.pid, signal.SIGKILL)
    assert not (root / "refinement.json").exists()
    before = {n: (root / n).stat().st_mtime_ns for n in file_bytes(root)}
    assert before
    time.sleep(0.01)
    few.refine(root, shards=8)
    assert file_bytes(root) == file_bytes(few_refined)
    assert {n: (root / n).stat().st_mtime_ns for n in before} == before, "what was there is not made again"


def test_files_that_are_no_photos_are_counted_and_said(world: World, refined: Path) -> None:
    ignored = latest(str(refined)).options.ignored["photos"]
    assert sorted(ignored.values()) == [1, 60], ignored


def test_a_second_run_makes_nothing(world: World, refined: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in refined.rglob("*.parquet")}
    world.refine(refined)
    assert {p: p.stat().st_mtime_ns for p in refined.rglob("*.parquet")} == before


def test_what_is_undecided_is_kept_or_dropped_and_everything_is_accounted_for(
    world: World, refined: Path, tmp_path: Path
) -> None:
    keep = world.refine(refined)
    try:
        drop = world.refine(refined, undecided="drop")
    finally:
        world.refine(refined)
    for outcome in (keep, drop):
        assert outcome.account.ingested == len(world.truth)
        assert outcome.account.kept + sum(outcome.account.removed.values()) == len(world.truth)
    assert drop.account.kept <= keep.account.kept


def test_a_photo_that_vanishes_or_changes_between_index_and_read_is_a_finding(world: World, tmp_path: Path) -> None:
    import shutil

    from pipeline import schema
    from pipeline.faces.detect import OnnxDetector
    from pipeline.faces.extract import extract_shard
    from pipeline.sources.index import Source, photos
    from pipeline.tables.build import build

    shutil.copytree(world.photos, tmp_path / "photos")
    root = str(tmp_path / "root")
    table, where = photos(root, [Source("photos", "image-folder", str(tmp_path / "photos"))], shards=1)
    keys = table.read(["key"])["key"].to_pylist()
    (tmp_path / "photos" / keys[0]).unlink()
    (tmp_path / "photos" / keys[1]).write_bytes(b"another")
    faces = build(
        root,
        "faces",
        extract_shard,
        table.shards,
        schema=schema.FACES,
        aligned=False,
        detector=OnnxDetector(world.models["detector"]),
        carry={"root": root, "where": where},
    )
    failures = faces.read(["failure"])["failure"].to_pylist()
    assert "vanished" in failures[0]
    assert "changed" in failures[1]
    assert all(f.startswith("unreadable: ") for f in failures[:2])


def test_exported_recordio_has_the_refined_faces_and_labels(refined: Path, tmp_path: Path) -> None:
    taken = take_out.export(str(refined), tmp_path / "out", format="recordio")
    kept = {k: v[0] for k, v in fates(refined).items() if v[0] is not None}
    found = {p.key: p.identity for part in reader.parts(tmp_path / "out") for p in reader.index(part)}
    assert found == kept
    assert taken.photos == len(kept)


@pytest.mark.mxnet
@pytest.mark.slow
def test_exported_recordio_is_read_by_the_real_mxnet_with_the_same_pixels(
    mxnet: Path, refined: Path, tmp_path: Path
) -> None:
    from hashlib import sha256

    take_out.export(str(refined), tmp_path / "out", format="recordio")
    theirs = json.loads(run_python(mxnet, READ_RECORDS, tmp_path / "out"))["records"]
    labels = {}
    for part in reader.parts(tmp_path / "out"):
        for number, photo in enumerate(reader.index(part), 1):
            data = reader.read(tmp_path / "out", photo)
            flag, label, _, _, payload, pixels = theirs[str(number)]
            assert payload == data.hex()
            assert flag == 0
            assert labels.setdefault(photo.identity, label) == label
            ours = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert pixels == sha256(ours.tobytes()).hexdigest()
