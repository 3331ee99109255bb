"""HEIC, the format of many phones' photos, which pillow-heif decodes where it is installed (the extra `heic`)."""

from functools import cache
from importlib import import_module

from pipeline.faces.picture_formats.pixels import UnreadablePhoto

HINT = "it is HEIC, which needs pillow-heif: pip install 'face-refinery[heic]', or convert it to JPEG"


class MissingDecoder(UnreadablePhoto):
    """No decoder for the picture's format is installed here, which says nothing about its bytes."""


@cache
def is_installed() -> bool:
    """Whether HEIC can be decoded here; Pillow knows the format from then on."""
    try:
        pillow_heif = import_module("pillow_heif")
    except ImportError:
        return False
    pillow_heif.options.DECODE_THREADS = 1  # shards are made in parallel already
    pillow_heif.register_heif_opener()
    return True
