"""Finds a model by the path of its ONNX file, or in an InsightFace pack, which insightface downloads on first use."""

import contextlib
import io
from pathlib import Path
from typing import Literal

from pipeline.errors import UserError
from pipeline.faces.detect import try_detector
from pipeline.faces.embed import embedder_format
from pipeline.faces.model_file import resolve_model

PACKS = ("buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2")
Role = Literal["detector", "embedder"]


def find_model(name: str, role: Role) -> str:
    """The absolute path of a detector or an embedder.

    name: the path of an ONNX file, or a name in PACKS, for the pack's first file that is such a model. Raises UserError
    when there is no such file, the pack cannot be downloaded, or the file or pack holds no such model.
    """
    if name not in PACKS or Path(name).exists():
        path = resolve_model(name)
        _check_role(path, role)
        return path
    for file in sorted(_pack_folder(name).rglob("*.onnx")):
        with contextlib.suppress(UserError):
            _check_role(str(file), role)
            return str(file.absolute())
    raise UserError(f"the pack {name} holds no {role}: give the path of an ONNX file")


def _check_role(path: str, role: Role) -> None:
    """Raise UserError for a file that is not a detector or not an embedder, as the role says."""
    if role == "detector":
        try_detector(path)
    else:
        embedder_format(path)


def _pack_folder(name: str) -> Path:
    """The folder of a pack, downloaded where missing. Raises UserError when that fails."""
    from insightface.utils.storage import ensure_available

    try:
        with contextlib.redirect_stdout(io.StringIO()):  # hides the address, which it prints
            return Path(ensure_available("models", name))
    except Exception as error:  # noqa: BLE001  a download fails in many ways
        raise UserError(
            f"the InsightFace pack {name} is not on this machine and cannot be downloaded ({type(error).__name__}): "
            "give the path of an ONNX file"
        ) from None
