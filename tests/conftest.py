"""What all tests share: the real photos and models, where there are any, and a small world made of them.

Libraries are loaded by the fixtures that need them: the process that deals out the tests needs none.
"""

import csv
import gc
import logging
import os
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.builders.processes.mxnet_python import mxnet_python
from tests.builders.session.file_order import LONGEST_FILES, FilesByServer
from tests.builders.session.made_once import made_once

if TYPE_CHECKING:
    from pipeline.review.label_studio.local_server import LocalServer
    from tests.builders.small_world import World


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    return FilesByServer(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Let Dask set up its log before pytest listens to all logs: afterwards it would leave that to pytest."""
    if not config.pluginmanager.hasplugin("dsession"):  # the process that deals out the tests
        import distributed  # noqa: F401


def _log_as_in_a_new_process() -> None:
    """Undo what a command does to refinery's log: pytest's capture listens twice to a log that propagates again."""
    log = logging.getLogger("refinery")
    log.handlers = [handler for handler in log.handlers if type(handler) is not logging.StreamHandler]
    log.setLevel(logging.NOTSET)
    log.propagate = True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup() -> Generator[None, None, None]:
    """Take back what a test before did to the log, before pytest begins to listen."""
    _log_as_in_a_new_process()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Take back what a fixture that ran a command did to the log, before pytest begins to listen."""
    _log_as_in_a_new_process()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector pass over the libraries and the tests, which stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        gc.enable()


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real photos and models that REFINERY_MATERIAL names."""
    folder = os.environ.get("REFINERY_MATERIAL")
    if not folder:
        pytest.skip("REFINERY_MATERIAL is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def models(material: Path) -> dict[str, str]:
    """Detector and both embedders, as options of a refinement."""
    return {
        "detector": str(material / "models/yunet_n_320_320.onnx"),
        "embedder": str(material / "models/arcface_mobilefacenet_ms1m.onnx"),
        "second_embedder": str(material / "models/arcface_mobilefacenet_casia.onnx"),
    }


@pytest.fixture(scope="session")
def world(material: Path, models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> "World":
    """Sixty names of noisy_lfw, those with junk, duplicates and two persons first."""
    from tests.builders.small_world import World

    with open(material / "noisy_lfw/truth.tsv", newline="") as stream:
        truth = list(csv.DictReader(stream, delimiter="\t"))
    special = {"junk": 3, "duplicate": 2, "flip": 1}
    weight: dict[str, int] = {}
    for row in truth:
        weight[row["claimed"]] = max(weight.get(row["claimed"], 0), special.get(row["kind"], 0))
    sizes = {name: sum(r["claimed"] == name for r in truth) for name in weight}
    chosen = set(sorted((n for n in weight if sizes[n] <= 8), key=lambda n: (-weight[n], n))[:60])

    def copy(photos: Path) -> None:
        for name in chosen:
            shutil.copytree(material / "noisy_lfw/photos" / name, photos / name)
            (photos / name / "notes.txt").write_text("no photo")
        (photos / ".hidden.jpg").write_bytes(b"no photo either")

    return World(made_once(tmp_path_factory, "photos", copy), [r for r in truth if r["claimed"] in chosen], models)


@pytest.fixture(scope="session")
def refined(world: "World", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of an undisturbed refinement of the small world; each test process has a copy of its own."""
    root = made_once(tmp_path_factory, "refined", world.refine)
    return Path(shutil.copytree(root, tmp_path_factory.mktemp("refined") / "root"))


@pytest.fixture(scope="session")
def few(world: "World", tmp_path_factory: pytest.TempPathFactory) -> "World":
    """Sixteen of these names, for what is done several times over."""
    from tests.builders.small_world import World

    names = sorted({row["claimed"] for row in world.truth})[::4][:16]

    def copy(photos: Path) -> None:
        for name in names:
            shutil.copytree(world.photos / name, photos / name)

    photos = made_once(tmp_path_factory, "few-photos", copy)
    return World(photos, [r for r in world.truth if r["claimed"] in names], world.models)


@pytest.fixture(scope="session")
def few_refined(few: "World", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of an undisturbed refinement of a few names, in shards enough to be stopped between."""
    root = made_once(tmp_path_factory, "few-refined", lambda folder: few.refine(folder, shards=8))
    return Path(shutil.copytree(root, tmp_path_factory.mktemp("few-refined") / "root"))


@pytest.fixture(scope="session")
def label_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[LocalServer]":
    """One real Label Studio for a session of tests; each test takes a review name of its own."""
    from tests.builders.label_studio.label_server import begin

    local = begin(tmp_path_factory.mktemp("label-studio") / "review" / "server")
    yield local
    local.stop()


@pytest.fixture(scope="session")
def mxnet() -> Path:
    """A Python that has the real mxnet."""
    return mxnet_python()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests against the real mxnet without REFINERY_MXNET, and put the files that take longest first.

    mxnet installs 430 MB of its own. Where several processes run the tests, each takes one file after the other.
    """
    for item in items:
        if item.get_closest_marker("mxnet") and not os.environ.get("REFINERY_MXNET"):
            item.add_marker(pytest.mark.skip(reason="REFINERY_MXNET is not set"))
    places = {name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Torch computes on one thread: several that wait for each other crawl where anything else is running."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def no_wait_for_the_disk() -> Iterator[None]:
    """Files of the test's process are not flushed, ten milliseconds each: no test cuts the power.

    Tests of what is flushed put something else in place of os.fsync.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_works() -> None:
    """Ctrl-C works in the processes that tests start, even if a shell started the tests as a background job.

    Such a shell has SIGINT ignored, and a process inherits that; Python installs its handler only where it is not.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def no_workers_left() -> Iterator[None]:
    """Worker processes end with the file that began them: idle ones of many files take a core."""
    from distributed import Client

    from pipeline.tables import run_dask

    yield
    for client in [c for c in Client._instances if c.status == "running"]:
        cluster = client.cluster
        client.close(timeout=5)
        if cluster is not None:
            cluster.close(timeout=10)
    run_dask.connect.cache_clear()
