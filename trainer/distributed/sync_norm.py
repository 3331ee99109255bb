"""Batch norm over the batches of all ranks together, so several ranks compute what one rank with the whole batch does.

torch's own SyncBatchNorm works on CUDA only; this one also works on a CPU with the gloo backend. Every rank must hold
the same number of samples. Gradients are those of the sum of all ranks' losses, because DistributedDataParallel then
averages them over ranks.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise_batch_norms(net: nn.Module) -> nn.Module:
    """The same network, whose BatchNorm1d and BatchNorm2d modules are now SyncNorm; parameter names are unchanged."""
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
        x = input.to(torch.promote_types(input.dtype, torch.float32))  # a long sum in bf16 loses small summands
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


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [c] and (biased) variance [c] of x [n, c, ...] over all ranks, differentiable on every rank."""
    mean, variance = _Moments.apply(x)  # type: ignore[no-untyped-call]
    return mean, variance


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        all_but_channels = [axis for axis in range(x.dim()) if axis != 1]
        variance, mean = torch.var_mean(x, all_but_channels, correction=0)
        local = torch.stack([mean, variance])
        ranks = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(ranks, local)
        means, variances = torch.stack(ranks).unbind(1)
        # combined as in Chan, Golub and LeVeque 1979: the mean of squares minus the square of the mean would lose the
        # digits of a small variance
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        ctx.save_for_backward(x, mean)
        return mean, variance

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        gradients = torch.stack([g.contiguous() for g in grads])  # of the loss by the mean and by the variance
        dist.all_reduce(gradients)
        shape = [1, -1, *[1] * (x.dim() - 2)]
        count = x.numel() // x.shape[1] * dist.get_world_size()
        through_mean, through_variance = (gradients / count).view(2, *shape).unbind(0)
        gradient: Tensor = through_mean + 2 * through_variance * (x - mean.view(shape))
        return gradient
