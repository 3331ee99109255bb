"""Files that are photos by their content, whatever they are called."""

from pathlib import Path

from pipeline.sources.formats import image_folder
from tests.builders.photos.encoded_pictures import encoded, every_format, scene
from tests.builders.photos.photo_files import photos_by_key, put


def test_photos_are_known_by_their_content_where_their_suffix_says_nothing(tmp_path: Path) -> None:
    jpeg = encoded(scene(), ".jpg")
    names = ("noext", "b.JPG_large", "c.jpg?size=300", "d.jpg.1", "e.jpg ", "f.jpg!d", "g.jfif", "h.jpe")
    for name in names:
        put(tmp_path / "Ann" / name, jpeg)
    for i, data in enumerate(every_format().values()):
        put(tmp_path / "Bob" / str(i), data)
    put(tmp_path / "Bob/notes", b"BM, 3 pm: nothing")
    put(tmp_path / "Bob/movie", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
    put(tmp_path / "Bob/unfinished.jpg.part", jpeg)
    put(tmp_path / "Bob/raw.CR2", b"II*\0")
    put(tmp_path / "Bob/empty")
    photos = photos_by_key(tmp_path)
    assert {key for key in photos if key.startswith("Ann")} == {f"Ann/{name}" for name in names}
    assert len(photos) == len(names) + len(every_format())
    assert all(image_folder.read(tmp_path, photos[f"Ann/{name}"]) == jpeg for name in names)
    assert image_folder.survey(tmp_path).ignored == {
        "not a photo: no suffix": 3,
        "not a photo: .part": 1,
        "not a photo: .cr2": 1,
    }


def test_a_file_that_becomes_a_picture_makes_another_part(tmp_path: Path) -> None:
    put(tmp_path / "Ann/1.jpg")
    put(tmp_path / "Ann/2", b"nothing")
    before = image_folder.parts(tmp_path)
    put(tmp_path / "Ann/2", encoded(scene(), ".png"))
    assert set(photos_by_key(tmp_path)) == {"Ann/1.jpg", "Ann/2"}
    assert image_folder.parts(tmp_path) != before
