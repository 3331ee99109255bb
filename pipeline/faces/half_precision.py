"""Converts ONNX models to half precision, in which GPUs run them faster.

Inputs and outputs stay in single precision, so that the new file can replace the old one. Tables made with the new file
have other addresses, because its digest differs.
"""

from pathlib import Path

import onnx

from pipeline.errors import UserError, first_line
from pipeline.faces import model_file
from pipeline.faces.prelu import MAX_BYTES
from pipeline.whole_files import write_whole


def write_half_precision(model: str, out: str | Path) -> int:
    """Write an ONNX model in half precision to the file `out`; returns the size of that file in bytes.

    onnxruntime's converter is used; it replaces weights that are too small or too large for half precision by its
    limits. Raises UserError for a file that is not an ONNX model, is too large, has no weights in single precision or
    cannot be converted, and when `out` cannot be written.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16  # takes half a second to load

    model_file.graph(model)
    if Path(model).stat().st_size > MAX_BYTES:
        raise UserError(
            f"{model} is larger than {MAX_BYTES >> 30} GiB, the largest size that can be converted: give another model"
        )
    try:
        single = onnx.load(model)
    except Exception as error:  # noqa: BLE001  for example, a file of weights is missing
        raise _conversion_error(model, error) from None
    if not _has_single_precision(single):
        raise UserError(f"{model} has no weights in single precision: give a model that has")
    try:
        data: bytes = convert_float_to_float16(single, keep_io_types=True).SerializeToString()
    except Exception as error:  # noqa: BLE001  the converter raises many kinds of errors
        raise _conversion_error(model, error) from None
    try:
        write_whole(Path(out), data)
    except OSError as error:
        raise UserError(
            f"cannot write {out} ({error.strerror or error}): give a folder that can be written to"
        ) from None
    return len(data)


def is_half_precision(file: Path) -> bool:
    """Whether a file is an ONNX model whose weights are in half precision."""
    try:
        model = onnx.load(file, load_external_data=False) if file.is_file() else None
    except Exception:  # noqa: BLE001  the reader raises many kinds of errors
        return False
    kinds = {w.data_type for w in model.graph.initializer} if model else set()
    return onnx.TensorProto.FLOAT16 in kinds and onnx.TensorProto.FLOAT not in kinds


def _has_single_precision(model: onnx.ModelProto) -> bool:
    return any(w.data_type == onnx.TensorProto.FLOAT for w in model.graph.initializer)


def _conversion_error(model: str, error: Exception) -> UserError:
    reason = first_line(error)
    return UserError(f"{model} cannot be converted to half precision ({reason}): give another model")
