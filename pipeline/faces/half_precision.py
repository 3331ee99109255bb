"""An ONNX model with its weights and products in half precision, for graphics cards made for it.

Inputs and outputs stay as they are, so the file is used like the one it was made of; its digest, and so the names of
the tables made with it, is another.
"""

from pathlib import Path

import onnx

from pipeline.errors import UserError
from pipeline.faces import model_file
from pipeline.faces.prelu import LARGEST
from pipeline.tables import storage


def write_half_precision(model: str, out: str | Path) -> int:
    """Write the model of an ONNX file in half precision to the file `out`; returns its size in bytes.

    onnxruntime's own converter rewrites the graph: weights too small or too large for half precision go to its limits.
    Raises UserError for what is no ONNX model, is too large, in half precision already, or cannot be rewritten, and for
    a place that cannot be written.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16  # half a second, for this alone

    model_file.graph(model)
    if Path(model).stat().st_size > LARGEST:
        raise UserError(
            f"{model} is larger than {LARGEST >> 30} GiB, which is more than can be rewritten: give another"
        )
    try:
        whole = onnx.load(model)
    except Exception as error:  # noqa: BLE001  weights in files of their own that are not there, say
        raise _refused(model, error) from None
    if not any(w.data_type == onnx.TensorProto.FLOAT for w in whole.graph.initializer):
        raise UserError(f"{model} has no weights in single precision: it cannot be halved")
    try:
        data: bytes = convert_float_to_float16(whole, keep_io_types=True).SerializeToString()
    except Exception as error:  # noqa: BLE001  the converter raises what its graph made of it
        raise _refused(model, error) from None
    target = Path(out).absolute()
    storage.put(str(target.parent), target.name, data)
    return len(data)


def _refused(model: str, error: Exception) -> UserError:
    return UserError(f"{model} cannot be halved ({model_file.brief(error)}): give another model")
