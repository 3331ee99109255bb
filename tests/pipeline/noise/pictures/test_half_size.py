"""What tells most pairs apart at half size: it loses no duplicate, and leaves few others."""

import numpy as np

from pipeline.faces.sketch import SIDE_OF_TONES, sketch_tones
from pipeline.noise.pictures import half_size
from pipeline.noise.pictures.half_size import alike_at_half_size, compared_tones, half_size_pictures
from tests.builders.photos.duplicates import duplicate_of, sketch_of
from tests.builders.tables.drawn_vectors import picture


def test_duplicates_pass_and_other_pictures_do_not_whatever_is_told_apart_first(monkeypatch) -> None:
    faces = [picture(seed) for seed in range(6)]
    copies = [duplicate_of(face, shift=1.0) for face in faces]
    sketches = np.stack([sketch_of(face) for face in [*faces, *copies, *(copy[:, ::-1] for copy in copies)]])
    pictures = half_size_pictures(sketches, compared_tones(sketches))
    i, j = (k.ravel() for k in np.meshgrid(np.arange(6), np.arange(6)))
    for offset, side in ((6, 1), (12, -1)):
        alike, maps = alike_at_half_size(pictures, i, j + offset, side)
        assert (i[alike] == j[alike]).all()
        assert len(alike) == len(maps) == 6
        monkeypatch.setattr(half_size, "MIN_IN_PLACE", -1.0)
        monkeypatch.setattr(half_size, "MIN_ROUNDS", ())
        every, same_maps = alike_at_half_size(pictures, i, j + offset, side)
        monkeypatch.undo()
        assert every.tolist() == alike.tolist()
        np.testing.assert_allclose(maps, same_maps, atol=1e-4)
    none, maps = alike_at_half_size(pictures, i[:0], j[:0], 1)
    assert len(none) == len(maps) == 0


def test_tones_are_those_of_a_sketch_and_invented_pixels_are_not_compared() -> None:
    face = picture(0)
    cut = face.copy()
    cut[:, :28] = 0  # a quarter, where the photo ended
    sketches = np.stack([sketch_of(face), sketch_of(cut)])
    tones, area = compared_tones(sketches)
    assert (tones == sketch_tones(sketches)).all()
    assert area[0] == SIDE_OF_TONES**2
    assert area[1] == SIDE_OF_TONES * (SIDE_OF_TONES * 3 // 4 - 1), "nor are their neighbours"
    valid = half_size_pictures(sketches, compared_tones(sketches)).valid
    assert valid.sum((1, 2)).tolist() == area.tolist()
    assert not valid[1, :, : SIDE_OF_TONES // 4].any()
