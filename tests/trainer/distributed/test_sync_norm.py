"""Batch norm over ranks: two ranks with half a batch each compute what one rank with the whole batch does."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tests.builders.processes.two_ranks import on_two_ranks
from trainer.distributed.ranks import rank, world_size
from trainer.distributed.sync_norm import SyncNorm, synchronise_batch_norms

STEPS = 3


def network() -> nn.Module:
    """A network in float64, so that sums in another order give nearly equal results also after a few steps."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.PReLU(4),
        nn.Conv2d(4, 3, 3, bias=False),
        nn.BatchNorm2d(3, affine=False),
        nn.Flatten(),
        nn.Linear(12, 5),
        nn.BatchNorm1d(5, momentum=None),
    ).double()


def batch() -> Tensor:
    """Samples whose halves have means far apart, so that statistics of one half are wrong for both."""
    x = torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    return (x + torch.arange(8).view(8, 1, 1, 1)).double()


def target() -> Tensor:
    return torch.randn(8, 5, generator=torch.Generator().manual_seed(2)).double()


def train(net: nn.Module, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The last output and the gradient of the input, after a few steps."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for _ in range(STEPS):
        x = x.detach().requires_grad_()
        optimizer.zero_grad()
        y = net(x)
        (y - target).square().mean().backward()
        optimizer.step()
    assert x.grad is not None
    return y.detach(), x.grad


def train_on_a_half() -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    net = synchronise_batch_norms(network(), torch.device("cpu"))
    each = 8 // world_size()
    half = slice(rank() * each, (rank() + 1) * each)
    return *train(DistributedDataParallel(net), batch()[half], target()[half]), net.state_dict()


@pytest.mark.slow
def test_two_ranks_compute_what_one_rank_with_the_whole_batch_does(tmp_path: Path) -> None:
    net = network()
    expected, gradient = train(net, batch(), target())
    ranks = on_two_ranks(train_on_a_half, tmp_path)
    close = {"rtol": 1e-7, "atol": 1e-9}
    torch.testing.assert_close(torch.cat([r[0] for r in ranks]), expected, **close)
    # a rank's loss is the mean over its half, so its gradient is twice that of the mean over the whole batch
    torch.testing.assert_close(torch.cat([r[1] for r in ranks]) / 2, gradient, **close)
    for _, _, state in ranks:
        assert state.keys() == net.state_dict().keys()
        for key, value in net.state_dict().items():
            torch.testing.assert_close(state[key], value, **close, msg=key)
    half_only = train(network(), batch()[:4], target()[:4])[0]
    assert (half_only - expected[:4]).abs().max() > 0.1, "statistics of one half differ from those of the whole batch"


def test_on_one_rank_it_is_torchs_own_norm() -> None:
    ours, theirs = synchronise_batch_norms(network(), torch.device("cpu")), network()
    assert [type(m) for m in ours if isinstance(m, nn.modules.batchnorm._BatchNorm)] == [SyncNorm] * 3
    for a, b in zip(train(ours, batch(), target()), train(theirs, batch(), target()), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(ours.eval()(batch()), theirs.eval()(batch()))
