"""Models by name: an ONNX file, or an InsightFace model pack, which insightface downloads on first use."""

import contextlib
import io
from pathlib import Path
from typing import Literal

from pipeline.errors import UserError
from pipeline.faces.detect import kind_of
from pipeline.faces.embed import layout_of
from pipeline.faces.model_file import resolve_model

PACKS = ("buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2")
Role = Literal["detector", "embedder"]


def find_model(name: str, role: Role) -> str:
    """The absolute path of a model: an ONNX file, or the file of an InsightFace pack that fits the role.

    Raises UserError when there is no such file, the pack cannot be fetched, or none in it fits.
    """
    if name not in PACKS or Path(name).exists():
        path = resolve_model(name)
        _check_role(path, role)
        return path
    for file in sorted(_folder(name).rglob("*.onnx")):
        with contextlib.suppress(UserError):
            _check_role(str(file), role)
            return str(file.absolute())
    raise UserError(f"the pack {name} holds no {role}: give the path of an ONNX file")


def _check_role(path: str, role: Role) -> None:
    """Raise UserError for a file that is no model of this role."""
    if role == "detector":
        kind_of(path)
    else:
        layout_of(path)


def _folder(name: str) -> Path:
    from insightface.utils.storage import ensure_available

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints the address that it downloads from
            return Path(ensure_available("models", name))
    except Exception as error:  # noqa: BLE001  a download fails in many ways
        raise UserError(
            f"the InsightFace pack {name} is not on this machine and cannot be fetched ({type(error).__name__}): "
            "give the path of an ONNX file"
        ) from None
