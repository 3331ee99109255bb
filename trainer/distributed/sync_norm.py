"""Batch norm over the batches of all ranks together, so that two ranks train as one rank with the whole batch.

torch's own SyncBatchNorm is for CUDA; this one is a handful of tensor operations and two collectives, so it works on
gloo and a CPU too. Every rank must hold the same number of samples. Gradients are those of the sum of all ranks'
losses, as DistributedDataParallel's averaging expects them.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise(net: nn.Module) -> nn.Module:
    """The network, its every BatchNorm1d and 2d now a SyncNorm; parameters and their names stay the same."""
    for module in net.modules():
        if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d):
            module.__class__ = SyncNorm  # so that what refers to its parameters, buffers and hooks still does
    return net


class SyncNorm(_BatchNorm):
    """A batch norm for [n, c] or [n, c, h, w] whose statistics while training are those of all ranks' batches."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in (2, 4):
            raise ValueError(f"expected [n, c] or [n, c, h, w], found {list(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """The input [n, c] or [n, c, h, w] normalised, scaled and shifted, in the type that it came in."""
        self._check_input_dim(input)
        if not self.training or not dist.is_initialized() or dist.get_world_size() == 1:
            alone: Tensor = super().forward(input)
            return alone
        x = input.to(torch.promote_types(input.dtype, torch.float32))  # a sum of many in bf16 ignores small ones
        mean, variance = moments(x)
        if self.track_running_stats:
            self._update_running_stats(
                mean.detach(), variance.detach(), samples=x.numel() // x.shape[1] * dist.get_world_size()
            )
        shape = [1, -1, *[1] * (x.dim() - 2)]
        y = (x - mean.view(shape)) * torch.rsqrt(variance + self.eps).view(shape)
        if self.weight is not None:
            y = torch.addcmul(self.bias.view(shape), y, self.weight.view(shape))
        return y.to(input.dtype)

    def _update_running_stats(self, mean: Tensor, variance: Tensor, samples: int) -> None:
        """Add a batch to the running statistics, as torch does: the running variance is the unbiased one."""
        share = 0.0 if self.momentum is None else self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
            self.running_var.lerp_((variance * samples / max(samples - 1, 1)).to(self.running_var.dtype), share)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [c] and (biased) variance [c] of x [n, c, ...] over all ranks, differentiable on every rank."""
    mean, variance = _Moments.apply(x)  # type: ignore[no-untyped-call]
    return mean, variance


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        over = [d for d in range(x.dim()) if d != 1]
        variance, mean = torch.var_mean(x, over, correction=0)
        local = torch.stack([mean, variance])
        ranks = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(ranks, local)
        means, variances = torch.stack(ranks).unbind(1)
        # Chan, Golub and LeVeque 1979: a difference of large squares would lose the digits of a small variance
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        ctx.save_for_backward(x, mean)
        return mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        both = torch.stack([g.contiguous() for g in grads])
        dist.all_reduce(both)
        shape = [1, -1, *[1] * (x.dim() - 2)]
        count = x.numel() // x.shape[1] * dist.get_world_size()
        of_mean, of_variance = (both / count).view(2, *shape).unbind(0)
        gradient: Tensor = of_mean + 2 * of_variance * (x - mean.view(shape))
        return gradient
