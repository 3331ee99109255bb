"""The face of a query photo that is an aligned crop."""

from pathlib import Path

import numpy as np
import pytest

from flows.find.query import read_face
from pipeline.errors import UserError
from tests.builders.photos.encoded_pictures import encoded, textured


def test_an_aligned_crop_of_another_shape_is_fitted_or_refused(tmp_path: Path) -> None:
    photo, crop = tmp_path / "a.png", textured(112, 96)
    photo.write_bytes(encoded(crop, ".png"))
    query = read_face(photo, lambda _: pytest.fail("the detector was called"), aligned=True)
    assert query.face.shape == (112, 112, 3)
    assert np.array_equal(query.face[:, 8:104], crop)
    photo.write_bytes(encoded(textured(80, 112), ".png"))
    with pytest.raises(UserError, match=r"a\.png shows no face .*this one has 80x112 pixels"):
        read_face(photo, lambda _: pytest.fail("the detector was called"), aligned=True)
    with open(photo, "wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(UserError, match="bytes are more than"):
        read_face(photo, lambda _: pytest.fail("the detector was called"), aligned=True)
