"""Lists of boxes as VGGFace2, FaceScrub and IMDb-Face publish them, found beside photos and read into a table."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.sources.box_lists import BoxTable, beside, box_files, read_boxes
from pipeline.sources.formats.lists_beside import lists_of
from pipeline.sources.index import Source, index_photos
from tests.builders.file_trees import put_files
from tests.builders.processes.user_nobody import as_user_nobody

VGGFACE2 = 'NAME_ID,X,Y,W,H\n"n000002/0001_01",161,140,224,324\n"n000003/0002_01",-5,2,10,20\n'
FACESCRUB = (
    "name\timage_id\tface_id\turl\tbbox\tsha256\n"
    "Aaron Eckhart\t1\t7\thttp://e.org/a.jpg\t53,177,418,542\tabc0\n"
    "Aaron Eckhart\t2\t8\thttp://e.org/b.jpg\t10,20,30,40\tabc1\n"
)
IMDB = (
    "name,index,image,rect,height width,url\n"
    "Fred_Astaire,nm0000001,mv01.jpg,10 20 60 100,200 100,https://e.org/1.jpg\n"
    "Fred_Astaire,nm0000001,mv02.jpg,-4 0 50 210,200 100,https://e.org/2.jpg\n"
)


def table(tmp_path: Path, name: str, text: str) -> BoxTable:
    (tmp_path / name).write_text(text)
    return read_boxes(box_files([str(tmp_path / name)], tmp_path))


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        (
            VGGFACE2,
            {
                "train/n000002/0001_01.jpg": (161, 140, 385, 464),
                "n000003/0002_01.png": (-5, 2, 5, 22),
                "n000003/0001_01.jpg": None,
                "n000002/0001_01/x.jpg": None,
            },
        ),
        (
            FACESCRUB,
            {
                "Aaron Eckhart/Aaron Eckhart_7.jpeg": (53, 177, 418, 542),
                "facescrub/Aaron_Eckhart/Aaron_Eckhart_8.png": (10, 20, 30, 40),
                "Aaron_Eckhart/Aaron Eckhart_1_7.jpg": (53, 177, 418, 542),
                "Aaron_Eckhart/abc1.jpg": (10, 20, 30, 40),
                "Aaron_Eckhart/Aaron_Eckhart_1.jpg": None,
            },
        ),
        (
            IMDB,
            {
                "nm0000001/mv01.jpg": (0.1, 0.1, 0.6, 0.5),
                "Fred Astaire/mv02.jpg": (0, 0, 0.5, 1),
                "nm0000002/mv01.jpg": None,
            },
        ),
        (
            "path;x1;y1;x2;y2\n1.jpg;1;2;3;4\nAnn/2.jpg;0.1;0.2;0.5;0.5\n",
            {"any/1.jpg": (1, 2, 3, 4), "1.jpg": (1, 2, 3, 4), "Ann/2.png": (0.1, 0.2, 0.5, 0.5), "Bob/2.jpg": None},
        ),
    ],
    ids=["VGGFace2", "FaceScrub", "IMDb-Face", "table"],
)
def test_every_published_form(tmp_path: Path, text: str, boxes: dict[str, tuple[float, ...] | None]) -> None:
    read = table(tmp_path, "list", text)
    for key, box in boxes.items():
        found = read.box_of(key)
        assert (found is None) == (box is None), key
        assert box is None or np.allclose(found, box), key


def test_a_photo_with_two_different_boxes_and_a_box_without_an_area_have_none(tmp_path: Path) -> None:
    rows = "a/1,1,1,2,2\na/1,1,1,9,9\na/2,1,1,2,2\na/2,1,1,2,2\na/3,1,1,0,5\na/4,nan,1,5,5\na/5,1,1,inf,5\n"
    read = table(tmp_path, "boxes.csv", f"path,x,y,w,h\n{rows}")
    assert [read.box_of(f"a/{i}.jpg") for i in range(1, 6)] == [None, (1, 1, 3, 3), None, None, None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.jpg Ann\n", "is no list of boxes"),
        ("path,x1,y1\na,1,2\n", "is no list of boxes"),
        ("", "is no list of boxes"),
        (f"{VGGFACE2}n000004/0001_01,1,2,3\n", "line 4: expected a photo and its box"),
        (f"{VGGFACE2}n000004/0001_01,1,2,3,wide\n", "line 4: expected a photo and its box"),
        (f"{FACESCRUB}Ann\t1\t2\turl\t1,2,3\t00\n", "line 4: expected a photo and its box"),
        (f"{IMDB}Ann,nm1,1.jpg,1 2 3 4,0 0,url\n", "line 4: expected a photo and its box"),
        ("path,x,y,w,h\n", "lists no box"),
    ],
)
def test_what_is_no_list_of_boxes_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        table(tmp_path, "boxes.csv", text)
    assert "\n" not in str(error.value)


def test_paths_are_compared_as_far_as_both_go(tmp_path: Path) -> None:
    rows = "ann/2020/1.jpg,1,1,2,2\nbob/2020/1.jpg,2,2,2,2\n/home/me/in/cyd/3.jpg,3,3,2,2\n"
    read = table(tmp_path, "boxes.csv", f"path,x,y,w,h\n{rows}")
    found = {
        "ann/2020/1.jpg": 1,
        "in/bob/2020/1.png": 2,
        "2020/1.jpg": None,  # two people's
        "dan/2020/1.jpg": None,
        "cyd/3.jpg": 3,
        "in/cyd/3.jpg": 3,
        "dan/cyd/3.jpg": None,
        "3.jpg": None,
    }
    assert {key: box and box[0] for key, box in ((key, read.box_of(key)) for key in found)} == found


def test_a_name_without_a_folder_that_several_folders_have_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put_files(tmp_path / "in", {"Ann/1.jpg": b"x", "Ann/2.jpg": b"x", "Bob/1.jpg": b"x", "Bob/3.jpg": b"x"})
    source = Source("in", "image-folder", str(tmp_path / "in"), boxes=(str(tmp_path / "boxes.csv"),))
    header = "path,x,y,w,h\n"
    (tmp_path / "boxes.csv").write_text(f"{header}1.jpg,1,1,9,9\n2.jpg,1,1,9,9\n")
    words = r"--boxes .*boxes\.csv gives one box to photos of several folders, such as 'Ann/1\.jpg' and 'Bob/1\.jpg'"
    with pytest.raises(UserError, match=words):
        index_photos(str(tmp_path / "root"), [source])
    (tmp_path / "in/loose_bb_in.csv").write_text(f"{header}1.jpg,1,1,9,9\n".replace("path", "NAME_ID"))
    index_photos(str(tmp_path / "root"), [source._replace(boxes=())])
    assert "loose_bb_in.csv gives one box to photos of several folders" in caplog.text
    (tmp_path / "boxes.csv").write_text(f"{header}Ann/1.jpg,1,1,9,9\n2.jpg,1,1,9,9\n3.jpg,1,1,9,9\n")
    photos, _ = index_photos(str(tmp_path / "root"), [source])
    boxed = photos.read().filter(photos.read()["box"].is_valid())["key"].to_pylist()
    assert sorted(boxed) == ["Ann/1.jpg", "Ann/2.jpg", "Bob/3.jpg"]


def test_lists_are_found_beside_the_photos_of_their_part_alone(tmp_path: Path) -> None:
    root = tmp_path / "VGGFace2"
    put_files(root, {"train/n1/1.jpg": b"", "bb_landmark/loose_bb_train.csv": b""})
    put_files(root, {"bb_landmark/loose_bb_test.csv": b""})
    put_files(root, {"other/facescrub_actors.txt": b"", "bb_landmark/loose_landmark_train.csv": b""})
    assert [f.name for f in beside(root / "train")] == ["loose_bb_train.csv"]
    assert [f.name for f in beside(root)] == ["loose_bb_test.csv", "loose_bb_train.csv"]
    assert [f.name for f in beside(root / "other")] == ["facescrub_actors.txt"]
    assert beside(root / "train/n1") == []
    (given,) = box_files([str(root / "other/facescrub_actors.txt")], root)
    assert given[0].endswith("facescrub_actors.txt")


def test_a_folder_above_that_may_not_be_listed_has_no_lists(tmp_path: Path) -> None:
    photos = tmp_path / "closed/photos"
    put_files(photos, {"1.jpg": b"x"})
    for folder in (tmp_path, *(p for p in tmp_path.parents if p.name.startswith(("pytest-", "popen-")))):
        folder.chmod(0o755)
    photos.parent.chmod(0o711)
    with as_user_nobody():
        assert box_files((), photos) == ()
        assert lists_of(photos) == []


def test_photos_get_their_boxes_and_lists_that_name_none_are_refused(tmp_path: Path) -> None:
    put_files(tmp_path / "in", {f"Aaron Eckhart/Aaron Eckhart_{i}.jpg": b"x" for i in (7, 8, 9)})
    source = Source("in", "image-folder", str(tmp_path / "in"))
    without, _ = index_photos(str(tmp_path / "root"), [source])
    (tmp_path / "in/facescrub_actors.txt").write_text(FACESCRUB)
    photos, _ = index_photos(str(tmp_path / "root"), [source])
    assert without.read()["box"].null_count == 3
    assert dict(zip(photos.read()["key"].to_pylist(), photos.read()["box"].to_pylist(), strict=True)) == {
        "Aaron Eckhart/Aaron Eckhart_7.jpg": [53, 177, 418, 542],
        "Aaron Eckhart/Aaron Eckhart_8.jpg": [10, 20, 30, 40],
        "Aaron Eckhart/Aaron Eckhart_9.jpg": None,
    }
    (tmp_path / "others.csv").write_text(VGGFACE2)
    with pytest.raises(UserError, match=r"--boxes .*others\.csv: no photo of .* is in it"):
        index_photos(str(tmp_path / "root"), [source._replace(boxes=(str(tmp_path / "others.csv"),))])
