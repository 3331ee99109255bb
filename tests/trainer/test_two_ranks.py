"""Two ranks joined by gloo: norm sync computes what one rank does, both norms continue to the last bit, data is shared.

One pair of processes does nearly all of it.
"""

import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipeline.errors import UserError
from tests.builders.photos import exported_faces
from tests.builders.processes import trainings
from tests.builders.processes.trainings import SMALL
from tests.builders.processes.two_ranks import on_two_ranks
from trainer import checkpoint
from trainer.data.batches import BatchStream
from trainer.data.data_set import count_classes, open_faces
from trainer.distributed.exchange import gather_values
from trainer.distributed.host_arrays import once_a_host
from trainer.distributed.ranks import rank, world_size
from trainer.loop.background_task import BackgroundTask
from trainer.loop.learner import make_learner
from trainer.loop.progress import Training, save
from trainer.loop.resume import resume
from trainer.loop.step_costs import step_costs
from trainer.loop.update import update
from trainer.pretrained.start import Start
from trainer.run import Run

pytestmark = pytest.mark.slow
# in float64, because in float32 the order of sums changes the losses after a few updates
RUN = replace(SMALL, augment=0.5, sample_rate=0.4, optimizer="sgd", lr=0.02, schedule="constant", norm="sync", steps=4)
LONGER = replace(RUN, steps=8)
NORMS = ("local", "sync")


def make_updates(run: Run, data: Path, out: Path, *, until: int, init: str = "") -> tuple[Training, list[float]]:
    """Continue a training in a folder up to this number of updates, and save it; the losses of these updates.

    init: a file of weights from which it starts.
    """
    faces = open_faces(data)
    learner = make_learner(run, count_classes(faces), torch.device("cpu"), Start(init))
    training = Training(run, faces, out, learner)
    progress = resume(training)
    batches = iter(BatchStream(faces, run, rank=rank(), ranks=world_size(), skip=progress.updates * run.batch))
    losses = [float(update(run, training.learner, batches, step)[0]) for step in range(progress.updates, until)]
    with BackgroundTask() as writer:
        save(training, progress._replace(updates=until), writer)
    return training, losses


def differing_statistics(training: Training) -> list[str]:
    """The batch norm statistics that differ between ranks."""
    values = gather_values({name: value.tolist() for name, value in training.learner.net.named_buffers()})
    return [name for name in values[0] if values[0][name] != values[1][name]]


def index_that_the_second_host_cannot_read() -> str:
    """What a rank raises; the first host's file of its index must not stay behind (see the fixture `ranks`)."""

    def build() -> tuple[NDArray[np.int64], ...]:
        if rank() == 1:
            raise UserError("the second host cannot read train.rec")
        return (np.arange(4),)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: f"host {rank()}")
        with pytest.raises(UserError) as raised:
            once_a_host(build)
    return str(raised.value)


def on_a_rank(data: Path, folder: Path) -> dict[str, Any]:
    """Everything that the tests look at."""
    torch.set_default_dtype(torch.float64)
    result: dict[str, Any] = {}
    make_updates(RUN, data, folder / "one rank, saved by two", until=2)
    for norm in NORMS:
        run = replace(RUN, norm=norm)
        result[norm] = differing_statistics(make_updates(run, data, folder / f"{norm}, whole", until=4)[0])
        make_updates(run, data, folder / f"{norm}, in two parts", until=2)
        make_updates(run, data, folder / f"{norm}, in two parts", until=4)
    try:
        make_updates(RUN, data, folder / "damaged", until=2)
    except UserError as error:
        result["error"] = str(error)
    result["host error"] = index_that_the_second_host_cannot_read()
    torch.set_default_dtype(torch.float32)
    result |= {f"{norm}, costs": list(step_costs(replace(RUN, norm=norm, precision="bf16"), 8)) for norm in NORMS}
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of all trainings, those on one rank made in this process."""
    folder = tmp_path_factory.mktemp("trainings")
    exported_faces.record_io(folder / "data", 8, 8)
    torch.set_default_dtype(torch.float64)
    make_updates(RUN, folder / "data", folder / "one rank", until=2)
    (folder / "one rank, saved by two").mkdir()
    whole = (folder / "one rank/last.pt").read_bytes()
    (folder / "one rank, saved by two/last.pt").write_bytes(whole)
    (folder / "damaged").mkdir()
    (folder / "damaged/last.pt").write_bytes(whole[:-1000])
    yield folder
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def ranks(folder: Path) -> list[dict[str, Any]]:
    before = set(Path(tempfile.gettempdir()).glob("refinery-*"))
    results = on_two_ranks(on_a_rank, folder, folder / "data", folder)
    assert set(Path(tempfile.gettempdir()).glob("refinery-*")) <= before, "the shared index is left behind"
    return results


def state(out: Path) -> dict[str, Any]:
    saved = checkpoint.load(out / "last.pt")
    return {"backbone": saved.backbone, "optimizer": saved.optimizer["state"], "objective": saved.objective}


def assert_same_bits(a: Any, b: Any) -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    else:
        assert a.keys() == b.keys()
        for key in a:
            assert_same_bits(a[key], b[key])


@pytest.mark.parametrize("norm", NORMS)
def test_a_training_in_two_parts_ends_with_the_same_bits(ranks: list[Any], folder: Path, norm: str) -> None:
    assert_same_bits(state(folder / f"{norm}, whole"), state(folder / f"{norm}, in two parts"))


def test_a_state_goes_from_one_rank_to_two_and_back_without_a_changed_bit(ranks: list[Any], folder: Path) -> None:
    make_updates(RUN, folder / "data", folder / "one rank, saved by two", until=2)
    assert_same_bits(state(folder / "one rank"), state(folder / "one rank, saved by two"))


def test_with_norm_sync_two_ranks_have_the_losses_of_one_which_continues_where_two_were_killed(folder: Path) -> None:
    """They start from a file, with a classifier of the same data, of which each rank loads its part."""
    init = str(trainings.weight_file(RUN, folder / "init.pt", classes=8, data=open_faces(folder / "data").digest))
    _, losses = make_updates(LONGER, folder / "data", folder / "only one rank", until=8, init=init)
    killed = folder / "killed"
    # the checkpoint of update 4 may still be on its way to the disk; that of update 2 was there before it
    trainings.kill_ranks(LONGER, folder / "data", killed, count=2, checkpoint_every=2, step=6, init=init)
    assert checkpoint.load(killed / "last.pt").seen // LONGER.batch in (2, 4)
    assert checkpoint.load(killed / "last.pt").data == checkpoint.load(init).data
    assert trainings.losses(killed)[:5] == pytest.approx(losses[:5], abs=1e-5)
    trainings.run_ranks(LONGER, folder / "data", killed, count=1, checkpoint_every=2, init=init)
    assert trainings.losses(killed) == pytest.approx(losses, abs=1e-5)


def test_only_with_norm_local_have_ranks_statistics_of_their_own(ranks: list[Any]) -> None:
    for result in ranks:
        assert not result["sync"]
        assert any("running_mean" in name for name in result["local"])
        assert all("num_batches" not in name for name in result["local"])


def test_the_log_says_that_norm_local_on_another_number_of_ranks_is_another_training(
    ranks: list[Any], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="refinery"):
        make_updates(RUN, folder / "data", folder / "sync, whole", until=4)
        assert "ranks" not in caplog.text
        make_updates(replace(RUN, norm="local"), folder / "data", folder / "local, whole", until=4)
    assert "was trained on 2 ranks and goes on with 1: with --norm local" in caplog.text


def test_every_rank_says_what_is_wrong_with_the_checkpoint(ranks: list[Any]) -> None:
    assert [("damaged/last.pt is not a checkpoint, or is damaged" in result["error"]) for result in ranks] == [True] * 2


def test_every_rank_says_why_one_host_has_no_index(ranks: list[Any]) -> None:
    assert [result["host error"] for result in ranks] == ["the second host cannot read train.rec"] * 2


def test_local_norms_exchange_nothing_and_sync_norms_keep_no_more_for_the_backward_pass(ranks: list[Any]) -> None:
    for result in ranks:
        (local, local_bytes, norms), (sync, sync_bytes, _) = (result[f"{norm}, costs"] for norm in NORMS)
        assert sync - local == 2 * norms
        assert local < 12
        assert sync_bytes < 1.05 * local_bytes
