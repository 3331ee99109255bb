"""Who is erased: by a photo, an identity, a list or a vector that was kept; each mistake is one line."""

import shutil
from pathlib import Path

import cv2
import pytest

from flows.erase.flow import erase
from flows.erase.planning import plan
from flows.erase.selection import Person, select
from pipeline.erasure.kept_vectors import write_vector
from pipeline.errors import UserError
from pipeline.refinement import latest
from tests.builders.photos.erased_person import NAME_OF_TWO, REASON, truth

pytestmark = pytest.mark.slow


def test_further_photos_are_found_by_a_vector_that_was_kept(root: Path, tmp_path: Path) -> None:
    """The vector of a photo's search is kept; a root from which the photos did not go stands for what came in since."""
    refinement = latest(str(root))
    who = Person("", NAME_OF_TWO, "", 1e-4)
    intent = plan(refinement, select(refinement, who)).intent(reason=REASON, name="", keep_vector=True)
    assert not list((root / "erasures").glob("*.vector.json"))
    write_vector(str(root), intent.number, intent.embedder, intent.vector)
    again = select(refinement, Person("", "", "", 1e-4, again=True))
    assert again.photos.keys() == set(intent.photos)


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ({}, "Give one of --photo FACE.jpg, --identity NAME and --list FILE"),
        ({"identity": "a", "photo": "b"}, "Give one of"),
        ({"identity": "m.518590"}, r"no photo of .* has the identity 'm\.518590': did you mean m\.5185901"),
        ({"photo": "no_face.png"}, "shows no face"),
        ({"photo": "two.jpg"}, "shows 2 faces: give a photo that shows the person alone"),
        (
            {"photo": "stranger.jpg", "far": 1e-9},
            r"no photo of .* shows the person in stranger\.jpg at --far 1e-09: nothing to erase",
        ),
        ({"photo": "missing.jpg"}, "cannot read missing.jpg"),
        ({"list_file": Path("empty.txt")}, r"empty\.txt lists nothing"),
        ({"list_file": Path("other.txt")}, r"no photo that other\.txt names is in"),
        ({"identity": "m.5185901", "far": 0.7}, "--far 0.7"),
        ({"identity": "m.5185901", "yes": True}, "give --reason TEXT"),
    ],
)
def test_a_mistake_is_one_line(
    refined_once: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: dict, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = (cv2.imread(str(photos / name / "0001.jpg")) for name in ("m.5911724", "m.8281029"))
    side = min(one.shape[0], two.shape[0])
    cv2.imwrite("two.jpg", cv2.hconcat([one[:side], two[:side]]))
    cv2.imwrite("no_face.png", one[:8, :8])
    known = {row["person"] for row in truth(photos)}
    stranger = next(p for p in sorted((photos.parent / "test").rglob("*.jpg")) if p.parent.name not in known)
    shutil.copy(stranger, "stranger.jpg")
    Path("empty.txt").write_text("# nothing\n")
    Path("other.txt").write_text("nobody/0001.jpg\n")
    with pytest.raises(UserError, match=message):
        erase(str(refined_once), **who)


def test_a_root_without_a_refinement_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished refinement at"):
        erase(str(tmp_path), identity="a")
    assert not list(tmp_path.iterdir())
