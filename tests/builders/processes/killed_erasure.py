"""Kills an erasure by SIGKILL before each kind of change to the files of a root, one run after the other."""

import subprocess
import sys
from pathlib import Path

# the changes of files before which an erasure is killed, one after the other: the n-th one that begins so
STEPS = (
    (1, "write erasures/intent.json"),
    (1, "write ledger/"),
    (1, "write asked/asked_for.json"),
    (2, "write faces/"),
    (1, "write refinement.json"),
    (1, "write erasures/intent.json"),
    (1, "remove ledger/"),
    (2, "remove clusters/"),
    (1, "remove photos_of_ann.html"),
    (2, "unlink "),
    (1, "rmdir exported"),
    (2, "write refinement.json"),
    (1, "write erasures/0001.receipt.txt"),
    (1, "remove erasures/intent.json"),
)
KILLED = """
import os, signal, sys
from flows.erase.flow import erase
from pipeline.tables import storage
root, identity, reason, *steps = sys.argv[1:]
def kill_before(step):
    number, _, step = step.partition(" ")
    left = int(number)
    def happens(change):
        nonlocal left
        left -= change.startswith(step)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
    put, remove = storage.put, storage.remove
    storage.put = lambda root, name, *data, **options: (happens(f"write {name}"), put(root, name, *data, **options))
    storage.remove = lambda root, name: (happens(f"remove {name}"), remove(root, name))
    names = {"os.remove": "unlink", "os.rmdir": "rmdir"}
    def hook(event, args):
        if event in names:
            happens(f"{names[event]} {str(args[0]).removeprefix(root + '/')}")
    sys.addaudithook(hook)
for step in steps:
    child = os.fork()
    if not child:
        kill_before(step)
        erase(root, identity=identity, reason=reason, yes=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, step
"""


def kill_at_every_step(root: Path, identity: str, reason: str) -> None:
    """Erase a person from a root in a run for each of STEPS, which goes on from the one before and is killed there."""
    words = [str(root), identity, reason, *(f"{n} {step}" for n, step in STEPS)]
    subprocess.run([sys.executable, "-c", KILLED, *words], check=True, timeout=900)
