"""Batch norm over ranks: two ranks with half a batch each are one rank with the whole of it."""

import os
import socket
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainer.distributed.sync_norm import SyncNorm, synchronise

STEPS = 3


def network() -> nn.Module:
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
    )


def batch() -> Tensor:
    """Samples whose halves have means far apart, so that statistics of one half are wrong for both."""
    x = torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    return x + torch.arange(8).view(8, 1, 1, 1)


def trained(net: nn.Module, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """A few steps, then the last output and the gradient of the input: what goes forward and what comes back."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for _ in range(STEPS):
        x = x.detach().requires_grad_()
        optimizer.zero_grad()
        found = net(x)
        (found - target).square().mean().backward()
        optimizer.step()
    assert x.grad is not None
    return found.detach(), x.grad


def target() -> Tensor:
    return torch.randn(8, 5, generator=torch.Generator().manual_seed(2))


def one_of_two(rank: int, port: int, out: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    net = synchronise(network())
    half = slice(rank * 4, rank * 4 + 4)
    found, gradient = trained(DistributedDataParallel(net), batch()[half], target()[half])
    torch.save((found, gradient, net.state_dict()), Path(out) / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_ranks_are_one_rank_with_the_whole_batch(tmp_path: Path) -> None:
    net = network()
    expected, gradient = trained(net, batch(), target())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(one_of_two, (port, str(tmp_path)), nprocs=2)
    ranks = [torch.load(tmp_path / f"{r}.pt") for r in (0, 1)]
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(torch.cat([r[0] for r in ranks]), expected, **close)
    # a rank's loss is the mean over its half, so its gradient is twice what the whole batch's mean gives
    torch.testing.assert_close(torch.cat([r[1] for r in ranks]) / 2, gradient, **close)
    for _, _, state in ranks:
        assert state.keys() == net.state_dict().keys()
        for key, value in net.state_dict().items():
            torch.testing.assert_close(state[key], value, **close, msg=key)
    alone = trained(network(), batch()[:4], target()[:4])[0]
    assert (alone - expected[:4]).abs().max() > 0.1  # what it would be without the other half


def test_one_rank_is_torchs_own_norm() -> None:
    ours, theirs = synchronise(network()), network()
    assert [type(m) for m in ours if isinstance(m, nn.modules.batchnorm._BatchNorm)] == [SyncNorm] * 3
    for a, b in zip(trained(ours, batch(), target()), trained(theirs, batch(), target()), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(ours.eval()(batch()), theirs.eval()(batch()))
