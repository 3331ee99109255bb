"""Batch norm over the batches of all ranks together, so several ranks compute what one rank with the whole batch does.

On a GPU it is torch's SyncBatchNorm, which works there alone; elsewhere it is our own, which keeps the input in its own
type for the backward pass and nothing else of its size. Every rank must hold the same number of samples. Gradients are
those of the sum of all ranks' losses, because DistributedDataParallel then averages them over ranks.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise_batch_norms(net: nn.Module, device: torch.device) -> nn.Module:
    """The same network for this device, whose batch norms are over all ranks; names of parameters are unchanged."""
    if device.type == "cuda":
        synchronised: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(net)  # type: ignore[no-untyped-call]
        return synchronised
    for module in net.modules():
        if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d):
            module.__class__ = SyncNorm  # keeps the module's parameters, buffers and hooks, and references to them
    return net


class SyncNorm(_BatchNorm):
    """Batch norm for [n, c] or [n, c, h, w]; in training its mean and variance are those of all ranks' batches."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 4):
            raise ValueError(f"expected [n, c] or [n, c, h, w], found {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """The input [n, c] or [n, c, h, w] normalised, scaled and shifted, in the input's float type."""
        self._check_input_dim(input)
        if not self.training or not dist.is_initialized() or dist.get_world_size() == 1:
            one_rank: Tensor = super().forward(input)
            return one_rank
        y, mean, variance = _Normalised.apply(input, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        if self.track_running_stats:
            self._update_running_stats(mean, variance, samples=input.numel() // input.shape[1] * dist.get_world_size())
        normalised: Tensor = y
        return normalised

    def _update_running_stats(self, mean: Tensor, variance: Tensor, samples: int) -> None:
        """Add a batch's mean and biased variance to the running ones, as torch does; the running variance is unbiased.

        samples: the number of values that a channel's mean and variance are of, over all ranks.
        """
        weight = 0.0 if self.momentum is None else self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), weight)
            self.running_var.lerp_((variance * samples / max(samples - 1, 1)).to(self.running_var.dtype), weight)


class _Normalised(torch.autograd.Function):
    """The input normalised by mean and variance over all ranks, scaled and shifted; and that mean [c] and variance [c].

    Ioffe and Szegedy, arXiv 1502.03167, algorithm 1 and the gradients of section 3. Sums are in float32 at least: a
    long sum in bf16 loses small summands.
    """

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        variance, mean = torch.var_mean(x, _all_but_channels(x), correction=0)
        local = torch.stack([mean, variance])
        ranks = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(ranks, local)
        means, variances = torch.stack(ranks).unbind(1)
        # combined as in Chan, Golub and LeVeque 1979: the mean of squares minus the square of the mean would lose the
        # digits of a small variance
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        inverse_deviation = torch.rsqrt(variance + eps)
        y = (x - _of_channels(mean, x)) * _of_channels(inverse_deviation, x)
        if weight is not None and bias is not None:
            y = torch.addcmul(_of_channels(bias, x), y, _of_channels(weight, x))
        ctx.save_for_backward(input, weight, mean, inverse_deviation)
        ctx.mark_non_differentiable(mean, variance)
        return y.to(input.dtype), mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        x, weight, mean, inverse_deviation = ctx.saved_tensors
        gradient = grads[0].to(mean.dtype)
        normalised = (x.to(mean.dtype) - _of_channels(mean, x)) * _of_channels(inverse_deviation, x)
        axes = _all_but_channels(x)
        local = torch.stack([gradient.sum(axes), (gradient * normalised).sum(axes)])
        sums = local.clone()
        dist.all_reduce(sums)
        means = sums / (x.numel() // x.shape[1] * dist.get_world_size())
        scale = inverse_deviation if weight is None else inverse_deviation * weight
        through = gradient - _of_channels(means[0], x) - normalised * _of_channels(means[1], x)
        of_x = (through * _of_channels(scale, x)).to(x.dtype)
        if weight is None:
            return of_x, None, None, None
        return of_x, local[1].to(weight.dtype), local[0].to(weight.dtype), None


def _all_but_channels(x: Tensor) -> list[int]:
    return [axis for axis in range(x.dim()) if axis != 1]


def _of_channels(values: Tensor, x: Tensor) -> Tensor:
    """Values [c] of the channels of x [n, c, ...], in a shape that goes with x."""
    return values.view([1, -1, *[1] * (x.dim() - 2)])
