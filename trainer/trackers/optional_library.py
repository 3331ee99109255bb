"""Imports a library that is not part of the default installation."""

from importlib import import_module
from types import ModuleType

from pipeline.errors import UserError


def optional_library(name: str) -> ModuleType:
    """The library of a tracker, which has its name. Raises UserError with the command that installs it."""
    try:
        return import_module(name)
    except ImportError as error:
        reason = "" if isinstance(error, ModuleNotFoundError) and error.name == name else f" ({error})"
        raise UserError(
            f"--track {name} needs {name}, which cannot be imported{reason}: "
            f"install it with `pip install 'face-refinery[{name}]'`"
        ) from None
