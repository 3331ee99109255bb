"""Batches are filled up to few different sizes, and no picture's result depends on the others."""

import numpy as np
from onnx import TensorProto, helper

from pipeline.faces.accelerator.byte_session import ByteSession, padded_length
from pipeline.faces.accelerator.devices import Device
from pipeline.faces.accelerator.model_graphs import InputFormat, take_bytes
from pipeline.tables.prefetch import prefetch


def test_a_batch_is_filled_up_to_a_power_of_two() -> None:
    assert [padded_length(n, 32) for n in (1, 2, 3, 4, 5, 7, 17, 32)] == [1, 2, 4, 4, 8, 8, 32, 32]
    assert [padded_length(n, 24) for n in (16, 17, 24)] == [16, 24, 24]
    assert len({padded_length(n, 256) for n in range(1, 257)}) == 9


def test_batches_in_flight_and_views_of_arrays_keep_their_own_results() -> None:
    info = helper.make_tensor_value_info
    x, y = info("x", TensorProto.FLOAT, ["n", 4, 5, 3]), info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    take_bytes(model, InputFormat(rgb=False, channels_first=False))
    session = ByteSession(model, Device("cpu"), most=8)
    batches = [np.random.default_rng(i).integers(0, 256, (1 + i % 8, 4, 5, 3), np.uint8) for i in range(40)]
    mirrored = (batch[:, :, ::-1] for batch in batches)  # views, which no batch owns
    for batch, outputs in zip(batches, prefetch(session, mirrored, threads=2, per_thread=1), strict=True):
        assert np.array_equal(outputs[0], batch[:, :, ::-1])
