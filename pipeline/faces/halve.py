"""An ONNX model with its weights and products in half precision, which GPUs take at twice the rate or more.

Inputs and outputs stay as they are, so the file is used like the one it was made of; its digest, and so the names of
the tables made with it, is another.
"""

from pathlib import Path

import onnx

from pipeline import storage
from pipeline.errors import UserError
from pipeline.faces import model_file


def halve(model: str, out: str | Path) -> int:
    """Write the model of an ONNX file in half precision to another; its bytes.

    onnxruntime's own converter rewrites the graph: weights too small or too large for half precision go to its limits.
    Raises UserError for what is no ONNX model, one that is in half precision already, and a place that cannot be
    written.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16  # half a second, for this alone

    model_file.graph(model)
    whole = onnx.load(model)
    if not any(w.data_type == onnx.TensorProto.FLOAT for w in whole.graph.initializer):
        raise UserError(f"{model} has no weights in single precision: it cannot be halved")
    data: bytes = convert_float_to_float16(whole, keep_io_types=True).SerializeToString()
    target = Path(out).absolute()
    storage.put(str(target.parent), target.name, data)
    return len(data)
