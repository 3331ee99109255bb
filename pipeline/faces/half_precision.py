"""Converts ONNX models to half precision, in which GPUs run them faster.

Inputs and outputs stay in single precision, so that the new file can replace the old one. Tables made with the new file
have other addresses, because its digest differs.
"""

from pathlib import Path

import onnx

from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.prelu import MAX_BYTES
from pipeline.tables import storage


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
    if not any(w.data_type == onnx.TensorProto.FLOAT for w in single.graph.initializer):
        raise UserError(f"{model} has no weights in single precision: give a model that has")
    try:
        data: bytes = convert_float_to_float16(single, keep_io_types=True).SerializeToString()
    except Exception as error:  # noqa: BLE001  the converter raises many kinds of errors
        raise _conversion_error(model, error) from None
    target = Path(out).absolute()
    storage.put(str(target.parent), target.name, data)
    return len(data)


def _conversion_error(model: str, error: Exception) -> UserError:
    reason = model_file.first_line(error)
    return UserError(f"{model} cannot be converted to half precision ({reason}): give another model")
