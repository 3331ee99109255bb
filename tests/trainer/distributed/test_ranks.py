"""How ranks are connected: by NCCL where they train on GPUs, by gloo on processors."""

from datetime import timedelta

import pytest
import torch
import torch.distributed as dist

from trainer.distributed.ranks import group_options, join_ranks


def test_a_rank_with_a_gpu_is_bound_to_it_and_waits_for_an_evaluation() -> None:
    options = group_options(torch.device("cuda:3"))
    assert options["device_id"] == torch.device("cuda:3")
    assert "cuda:nccl" in options["backend"]
    assert options["timeout"] >= timedelta(hours=1)  # rank 0 measures all test sets at a checkpoint


def test_ranks_on_processors_are_connected_by_gloo() -> None:
    options = group_options(torch.device("cpu"))
    assert options["backend"] == "gloo"
    assert "device_id" not in options


def test_a_process_alone_joins_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    join_ranks(torch.device("cpu"))
    assert not dist.is_initialized()
