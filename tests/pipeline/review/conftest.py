"""The real Label Studio that tests of reviews share."""

from tests.builders.label_server import label_server

__all__ = ["label_server"]
