"""Runs a rewritten model on batches of bytes: the input is copied to the device once, and all else happens there.

Several threads may call one session at the same time: while one batch is computed, the next is copied (see IN_FLIGHT).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from pipeline.faces.accelerator.devices import Device
from pipeline.faces.accelerator.model_graphs import BYTES
from pipeline.faces.accelerator.providers import providers_of

IN_FLIGHT = 2  # batches: one is computed, the other is prepared and copied


class ByteSession:
    """An onnxruntime session of a model that takes bytes [n, h, w, 3], on one device.

    most: pictures in a batch, at most. Their number is rounded up to a power of two with empty ones: for each further
    number a card chooses its kernels anew, and TensorRT builds another engine. fixed: it is always filled up to `most`.
    """

    def __init__(self, model: onnx.ModelProto, device: Device, *, most: int, fixed: bool = False) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.device, self.most, self.fixed = device, most, fixed
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(),
            options,
            providers=providers_of(device),
            enable_fallback=0,  # after an error on a card onnxruntime would go on, on the processor
        )
        self.outputs = [o.name for o in self.session.get_outputs()]

    def __call__(self, pictures: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """The model's outputs for up to `most` pictures [n, h, w, 3], each [n, ...].

        Where the batch is one, an output that is flattened over all pictures is returned as it is.
        """
        n = len(pictures)
        padding = self.filled_length(n) - n
        if padding:
            pictures = np.concatenate([pictures, np.zeros((padding, *pictures.shape[1:]), np.uint8)])
        pictures = np.ascontiguousarray(pictures)  # on a processor the binding reads this very memory
        binding = self._bind(pictures)
        self.session.run_with_iobinding(binding)
        outputs: list[NDArray[Any]] = binding.copy_outputs_to_cpu()
        return [output[:n] for output in outputs] if padding else outputs

    def filled_length(self, n: int) -> int:
        """The number of pictures to which a batch of n is filled up."""
        return self.most if self.fixed else padded_length(n, self.most)

    def on_device(self, pictures: NDArray[np.uint8]) -> Callable[[], None]:
        """A function that runs the network alone: the pictures are on the device, and the outputs stay there."""
        pictures = np.ascontiguousarray(pictures)
        binding = self._bind(pictures)

        def run_network(_kept: NDArray[np.uint8] = pictures) -> None:
            self.session.run_with_iobinding(binding)

        return run_network

    def _bind(self, pictures: NDArray[np.uint8]) -> Any:
        """The pictures as input, copied to a card, and outputs that are made on the device.

        On a processor nothing is copied: the caller keeps the pictures until the binding is not used any more.
        """
        where = self.device.allocator, self.device.card
        binding = self.session.io_binding()
        value = onnxruntime.OrtValue.ortvalue_from_numpy(pictures, *where)
        binding.bind_ortvalue_input(BYTES, value)
        for name in self.outputs:
            binding.bind_output(name, *where)
        return binding


def padded_length(n: int, most: int) -> int:
    """The number of pictures to which a batch of n is filled up: a power of two, and no more than `most`."""
    return min(most, 1 << (n - 1).bit_length())
