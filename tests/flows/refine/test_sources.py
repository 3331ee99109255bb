"""The same photos from every kind of source get the same labels."""

import base64
import struct
from pathlib import Path

import pytest

from pipeline.refinement import latest
from pipeline.sources.record_io import reader
from tests.builders.small_world import World, fates

pytestmark = pytest.mark.material


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


@pytest.mark.slow
def test_an_ms_celeb_tsv_gives_the_same_photos_the_same_fates(few: World, few_refined: Path, tmp_path: Path) -> None:
    few.refine(tmp_path / "root", "ms-celeb", str(tsv(few, tmp_path / "faces.tsv")))
    fates_of_tsv = {k.replace("-FaceId-0", ".jpg"): v for k, v in fates(tmp_path / "root").items()}
    assert len(fates_of_tsv) == len(few.truth)
    assert comparable(fates_of_tsv) == comparable(fates(few_refined))


def comparable(fates: dict[str, tuple[str | None, str]]) -> dict[str, tuple[str, str]]:
    """Labels without what differs between sources: the identity of a second person contains a face's id."""
    return {key: ((identity or "").split("~")[0], reason) for key, (identity, reason) in fates.items()}


@pytest.mark.slow
def test_a_megaface_layout_gives_the_same_photos_the_same_fates(few: World, few_refined: Path, tmp_path: Path) -> None:
    probes = tmp_path / "facescrub"
    names = {}
    for row in few.truth:
        person, file = row["path"].split("/")
        place = probes / person / f"{person}_{int(file.split('.')[0])}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((few.photos / row["path"]).read_bytes())
        names[str(place.relative_to(probes))] = row["path"]
    few.refine(tmp_path / "root", "megaface", str(probes))
    fates_of_megaface = {names[k]: v for k, v in fates(tmp_path / "root").items()}
    assert len(fates_of_megaface) == len(few.truth)
    assert comparable(fates_of_megaface) == comparable(fates(few_refined))


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
    assert kept
    assert kept <= {reader.read(folder, p) for p in records}, "never compressed twice"
