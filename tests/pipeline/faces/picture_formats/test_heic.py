"""HEIC where its decoder is installed, and the reason where it is not."""

import numpy as np
import pytest

from pipeline.faces import picture
from pipeline.faces.picture import MissingDecoder, UnreadablePhoto, decode, decoded_bytes
from pipeline.faces.picture_formats import heic
from pipeline.sources.photo_kinds import is_picture
from tests.builders.photos.encoded_pictures import heic_picture, scene

pytest.importorskip("pillow_heif")


def test_a_heic_is_decoded_upright() -> None:
    data = heic_picture()
    assert is_picture(data[:64])
    assert decoded_bytes(data) >= scene().nbytes
    assert np.abs(decode(data).astype(int) - scene()).mean() < 8
    assert np.abs(decode(heic_picture(orientation=3)).astype(int) - scene()[::-1, ::-1]).mean() < 8
    with pytest.raises(UnreadablePhoto):
        decode(data[: len(data) // 2])


def test_without_the_decoder_the_reason_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heic_picture()
    monkeypatch.setattr(heic, "is_installed", lambda: False)
    assert picture.lacks_decoder(data)
    with pytest.raises(MissingDecoder, match=r"pip install 'face-refinery\[heic\]', or convert it"):
        decode(data)
