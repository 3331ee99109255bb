"""A real Slurm on this machine: a controller and two nodes in a folder of its own, gone when the block ends."""

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from pipeline.errors import UserError
from tests.builders.label_server import free_port
from tests.chaos.dask_processes import when

DAEMONS = ("munged", "slurmctld", "slurmd")
PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))  # where they are, and not everyone looks
CONF = """\
ClusterName=tried
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1
KillWait=2
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port={one} CPUs=8 RealMemory=32000
NodeName=two NodeHostname={host} NodeAddr=127.0.0.1 Port={two} CPUs=8 RealMemory=32000
PartitionName=all Nodes=ALL Default=YES
"""  # the cores and MB are not looked for: so many are said to be there


def missing() -> list[str]:
    """What of Slurm is not installed."""
    return [name for name in (*DAEMONS, "sbatch", "srun", "scancel", "squeue") if not shutil.which(name, path=PATH)]


class Slurm:
    """What a user has of it, in an environment that names this Slurm and no other."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def run(self, *words: str) -> str:
        """What a command says. Raises CalledProcessError when it fails."""
        done = subprocess.run(
            words, env=self.environment, cwd=self.folder, check=True, timeout=60, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def running(self) -> list[str]:
        """The ids of jobs that run."""
        return self.run("squeue", "--noheader", "--states=RUNNING", "--format=%i").split()


@contextmanager
def slurm(**more: str) -> Iterator[Slurm]:
    """A Slurm whose nodes are idle; more: environment of its daemons and of those who ask them."""
    # a short name, for a socket's has room for 107 characters; open to others, or munged will not have it
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    key = folder / "key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(128))
    (folder / "state").mkdir()
    conf = folder / "slurm.conf"
    ports = {name: free_port() for name in ("controller", "one", "two")}
    host, user = socket.gethostname().split(".")[0], getpass.getuser()
    conf.write_text(CONF.format(host=host, user=user, folder=folder, **ports))
    made = Slurm(folder, {**os.environ, "PATH": PATH, "SLURM_CONF": str(conf), **more})
    try:
        files = {f"{word}-file": f"munge.{word}" for word in ("pid", "log", "seed")}
        _begin(
            made,
            "munged",
            "--foreground",
            f"--key-file={key}",
            f"--socket={folder}/munge.sock",
            *(f"--{option}={folder}/{name}" for option, name in files.items()),
        )
        when((folder / "munge.sock").exists, f"munged does not start: see {folder}/munged.out")
        _begin(made, "slurmctld", "-D")
        for node in ("one", "two"):
            _begin(made, "slurmd", "-D", "-N", node)
        when(lambda: _idle(made) == 2, f"Slurm does not start: see {folder}", within=60)
        yield made
    finally:
        try:
            with suppress(subprocess.SubprocessError, UserError):
                made.run("scancel", "--user", user)
                when(lambda: not made.run("squeue", "--noheader"), "the jobs do not end", within=30)
        finally:
            _end(str(conf))
    shutil.rmtree(folder)


def _begin(made: Slurm, name: str, *words: str) -> None:
    with open(made.folder / f"{name}.out", "ab") as out:
        subprocess.Popen([str(shutil.which(name, path=PATH)), *words], env=made.environment, stdout=out, stderr=out)


def _idle(made: Slurm) -> int:
    """How many nodes wait for work; none while the controller does not answer."""
    try:
        return len(made.run("sinfo", "--noheader", "--Node", "--states=IDLE", "--format=%N").split())
    except subprocess.CalledProcessError:
        return 0


def _end(conf: str) -> None:
    """Kill every process that was begun with this file in its environment: daemons, jobs, and what these began."""
    left = [process for process in psutil.process_iter() if process.pid != os.getpid() and _names(process.pid, conf)]
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=20)


def _names(pid: int, conf: str) -> bool:
    """Whether a process has this in its environment, which psutil does not read where a daemon writes its title."""
    try:
        return f"SLURM_CONF={conf}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
