"""Gives batch norms the statistics of faces, without changing what the network computes.

A file may hold no statistics for a batch norm: an exporter multiplied them into the convolution. With a mean of 0 and a
variance of 1 such a norm computes the right values in evaluation, but in training it would divide by the batch's own
statistics and give others. So its statistics are measured on some faces, and its scale and shift are changed with them.
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

MIN_VARIANCE = 1e-6  # of a channel that is the same for all faces


@torch.inference_mode()
def measure_norms(net: nn.Module, names: Collection[str], faces: Tensor) -> None:
    """Measure the batch norms with these names on faces [n, c, s, s]; the network is in evaluation mode afterwards."""
    modules = dict(net.named_modules())
    # called before the norm computes, in the order of the network, so later norms get the inputs that they will have
    hooks = [modules[name].register_forward_pre_hook(_measure) for name in names]
    try:
        net.eval()(faces)
    finally:
        for hook in hooks:
            hook.remove()


def _measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    assert isinstance(norm, _BatchNorm)  # noqa: S101  callers name batch norms
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: S101, PT018
    x = inputs[0].float().transpose(0, 1).flatten(1)  # [channels, values]
    mean, variance = x.mean(1), x.var(1, correction=0).clamp(min=MIN_VARIANCE)
    slope = norm.weight / (norm.running_var + norm.eps).sqrt()
    norm.bias.copy_(norm.bias + (mean - norm.running_mean) * slope)
    norm.weight.copy_(slope * (variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
