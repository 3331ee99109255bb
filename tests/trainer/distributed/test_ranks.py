"""How ranks are connected: by NCCL where they train on GPUs, by gloo on processors."""

import atexit
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist

from trainer.distributed.ranks import group_options, join_ranks, leave_ranks_at_exit


def test_a_rank_with_a_gpu_is_bound_to_it_and_waits_for_an_evaluation() -> None:
    options = group_options(torch.device("cuda:3"))
    assert options["device_id"] == torch.device("cuda:3")
    assert "cuda:nccl" in options["backend"]
    assert options["timeout"] >= timedelta(hours=1)  # rank 0 measures all test sets at a checkpoint


def test_ranks_on_processors_are_connected_by_gloo() -> None:
    options = group_options(torch.device("cpu"))
    assert options["backend"] == "gloo"
    assert "device_id" not in options


@pytest.fixture
def group() -> Iterator[None]:
    """A group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_a_rank_leaves_its_group_when_its_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    at_exit: list[Callable[[], object]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    leave_ranks_at_exit()
    assert dist.is_initialized()  # another training in this process may use it
    (leave,) = at_exit
    leave()
    assert not dist.is_initialized()
    leave()  # of a process that has left already


def test_a_process_alone_joins_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    join_ranks(torch.device("cpu"))
    assert not dist.is_initialized()
