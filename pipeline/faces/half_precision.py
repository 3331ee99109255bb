"""Converts ONNX models to half precision, which graphics cards run faster.

Inputs and outputs stay in single precision, so the new file is used like the old one. Its digest differs, and so do the
addresses of tables made with it.
"""

from pathlib import Path

import onnx

from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.prelu import MAX_BYTES
from pipeline.tables import storage


def write_half_precision(model: str, out: str | Path) -> int:
    """Write the model of an ONNX file in half precision to the file `out`; returns its size in bytes.

    onnxruntime's converter does it; weights too small or too large for half precision become its limits. Raises
    UserError for a file that is no ONNX model, is too large, is in half precision already or cannot be converted, and
    when `out` cannot be written.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16  # takes half a second to load

    model_file.graph(model)
    if Path(model).stat().st_size > MAX_BYTES:
        raise UserError(
            f"{model} is larger than {MAX_BYTES >> 30} GiB, which is more than can be rewritten: give another"
        )
    try:
        single = onnx.load(model)
    except Exception as error:  # noqa: BLE001  such as for a missing file of weights
        raise _refused(model, error) from None
    if not any(w.data_type == onnx.TensorProto.FLOAT for w in single.graph.initializer):
        raise UserError(f"{model} has no weights in single precision: it cannot be halved")
    try:
        data: bytes = convert_float_to_float16(single, keep_io_types=True).SerializeToString()
    except Exception as error:  # noqa: BLE001  the converter raises whatever a graph causes in it
        raise _refused(model, error) from None
    target = Path(out).absolute()
    storage.put(str(target.parent), target.name, data)
    return len(data)


def _refused(model: str, error: Exception) -> UserError:
    return UserError(f"{model} cannot be halved ({model_file.first_line(error)}): give another model")
