"""The walk through trees with links, system folders, deep folders and this program's own outputs."""

import os
from pathlib import Path

import numpy as np
import pytest

from flows.find.contact_sheet import Tile, draw_sheet
from pipeline.errors import UserError
from pipeline.sources.files import FolderOptions
from pipeline.sources.formats import image_folder, megaface
from pipeline.sources.formats.folder_walk import SYSTEM_FOLDERS
from pipeline.sources.test_sets import photo_sets
from tests.builders.photos.photo_files import photos_by_key, put

STAY = FolderOptions()
FOLLOW = FolderOptions(follow_links=True)


def ignored(path: Path, options: FolderOptions = STAY) -> dict[str, int]:
    return dict(image_folder.survey(path, options=options).ignored)


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A source with links to itself, out of it, to nothing, and to a folder that is named otherwise."""
    private = put(tmp_path / "private" / "1.jpg", b"private").parent
    root = tmp_path / "root"
    put(root / "Ann" / "1.jpg")
    put(root / ".store" / "Cy" / "3.jpg")
    (root / "Ann" / "again").symlink_to(root)
    (root / "Ann" / "out.jpg").symlink_to(private / "1.jpg")
    (root / "Ann" / "same.jpg").symlink_to("1.jpg")
    (root / "Ann" / "gone.jpg").symlink_to(root / "nowhere")
    (root / "Bob").symlink_to(private)
    (root / "Cy").symlink_to(".store/Cy")
    (root / "passwd.txt").symlink_to("/etc/passwd")
    os.mkfifo(root / "Ann" / "pipe.jpg")
    return root


def test_links_do_not_leave_the_source(linked: Path) -> None:
    photos = photos_by_key(linked)
    assert set(photos) == {"Ann/1.jpg", "Ann/same.jpg", "Ann/gone.jpg", "Cy/3.jpg"}
    assert photos["Ann/gone.jpg"].failure == "unreadable: a link to nothing"
    assert ignored(linked) == {
        "link out of the source": 3,
        "link to a folder of the source": 1,
        "neither file nor folder": 1,
        "hidden": 1,
    }


def test_links_leave_the_source_on_request(linked: Path) -> None:
    photos = photos_by_key(linked, options=FOLLOW)
    assert set(photos) == {"Ann/1.jpg", "Ann/same.jpg", "Ann/gone.jpg", "Ann/out.jpg", "Bob/1.jpg", "Cy/3.jpg"}
    assert image_folder.read(linked, photos["Ann/out.jpg"]) == b"private"
    assert "link out of the source" not in ignored(linked, FOLLOW)


def test_probes_and_test_sets_do_not_leave_their_folder_either(linked: Path) -> None:
    for source in (megaface, photo_sets):
        photos = {p.key for part in source.parts(linked) for p in source.index(part)}
        assert photos == {"Ann/1.jpg", "Ann/same.jpg", "Ann/gone.jpg", "Cy/3.jpg"}
    followed = {p.key for part in megaface.parts(linked, options=FOLLOW) for p in megaface.index(part)}
    assert {"Ann/out.jpg", "Bob/1.jpg"} <= followed
    assert megaface.survey(linked, options=FOLLOW).ignored == ignored(linked, FOLLOW)
    (linked / "x_pair.txt").write_text("Ann/1.jpg Ann/same.jpg 1\nAnn/1.jpg Ann/out.jpg 0\n")
    with pytest.raises(UserError, match=r"line 2 lists Ann/out\.jpg, which is a link that leads elsewhere"):
        photo_sets.pairs(linked)


def test_the_source_itself_may_be_a_link(linked: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(linked)
    assert set(photos_by_key(tmp_path / "link")) == set(photos_by_key(linked))


def test_a_folder_is_entered_once_however_many_links_lead_there(tmp_path: Path) -> None:
    """Two links from each level to the next one made 2 to the 13 paths."""
    for level in range(13):
        put(tmp_path / f"level{level:02}" / "1.jpg")
        for name in ("a", "b"):
            (tmp_path / f"level{level:02}" / name).symlink_to(f"../level{level + 1:02}")
    for options in (STAY, FOLLOW):
        assert len(photos_by_key(tmp_path, options=options)) == 13
        assert ignored(tmp_path, options)["link to a folder of the source"] == 24


def test_a_link_to_the_process_itself_is_not_entered(tmp_path: Path) -> None:
    put(tmp_path / "Ann" / "1.jpg")
    (tmp_path / "Ann" / "self").symlink_to("/proc/self")
    (tmp_path / "Ann" / "round").symlink_to("round")
    assert set(photos_by_key(tmp_path)) == {"Ann/1.jpg"}
    assert ignored(tmp_path) == {"link out of the source": 1, "link to nothing": 1}


def test_folders_may_be_nested_deeper_than_python_recurses(tmp_path: Path) -> None:
    folders = [f"{tmp_path}{'/d' * depth}" for depth in range(1, 1101)]  # strings: long paths are slow to parse
    for folder in folders:
        os.mkdir(folder)
    photo_file = f"{folders[-1]}/1.jpg"
    try:
        with open(photo_file, "wb") as stream:
            stream.write(b"photo")
        ((key, photo),) = photos_by_key(tmp_path).items()
        assert key.count("/") == 1100
        assert image_folder.read(tmp_path, photo) == b"photo"
    finally:
        os.unlink(photo_file)
        for folder in reversed(folders):
            os.rmdir(folder)


def test_folders_of_systems_and_viewers_are_no_identities(tmp_path: Path) -> None:
    put(tmp_path / "Ann" / "1.jpg")
    for name in SYSTEM_FOLDERS:
        put(tmp_path / "Ann" / name / "1.jpg" / "thumb_M.jpg")
        put(tmp_path / name.upper() / "2.jpg")
    put(tmp_path / "Ann" / ".thumbnails" / "1.jpg")
    put(tmp_path / "Ann" / "Previews.lrdata" / "1.jpg")
    put(tmp_path / "Ann" / "Thumbs.db.bak")
    assert set(photos_by_key(tmp_path)) == {"Ann/1.jpg"}
    assert ignored(tmp_path) == {"in a system folder": 2 * len(SYSTEM_FOLDERS) + 1, "hidden": 1, "not a photo: .bak": 1}


def test_own_outputs_in_a_source_are_no_identities(tmp_path: Path) -> None:
    put(tmp_path / "Ann" / "1.jpg")
    put(tmp_path / "root" / "refinement.json", b"{}")
    put(tmp_path / "root" / "review" / "media" / "1.jpg")
    put(tmp_path / "begun" / ".lock")
    put(tmp_path / "begun" / "index" / "x" / "1.jpg")
    put(tmp_path / "export" / "identities.tsv")
    put(tmp_path / "export" / "README.md")
    put(tmp_path / "export" / "_changes" / "removed.parquet")
    put(tmp_path / "export" / "Ann" / "1.jpg")
    put(tmp_path / "plots" / "photo_flow.png")
    put(tmp_path / "plots" / "photo_flow.svg")
    face = np.zeros((112, 112, 3), np.uint8)
    draw_sheet(face, [Tile(face, "1  0.9", "Ann", True)], tmp_path / "Ann" / "found.png")
    put(tmp_path / "Bob" / "found.png", b"a photo of that name")
    assert set(photos_by_key(tmp_path)) == {"Ann/1.jpg", "Bob/found.png"}
    assert ignored(tmp_path) == {"folder that this program wrote": 4, "contact sheet": 1}
    assert set(photos_by_key(tmp_path / "export")) == {"Ann/1.jpg"}, "an export may itself be the source"
