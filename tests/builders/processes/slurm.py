"""A real Slurm on this machine: a controller and two nodes in a temporary folder, removed when the block ends."""

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
from tests.builders.label_studio.label_server import free_port
from tests.builders.processes.waiting import wait_until

DAEMONS = ("munged", "slurmctld", "slurmd")
PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))  # where the daemons are installed
CONF = """\
ClusterName=tested
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
"""  # the nodes have these cores and MB, whatever the machine has


def missing() -> list[str]:
    """The programs of Slurm that are not installed."""
    return [name for name in (*DAEMONS, "sbatch", "srun", "scancel", "squeue") if not shutil.which(name, path=PATH)]


class Slurm:
    """Commands of this Slurm; environment: its variables point to this Slurm's configuration."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def run(self, *words: str) -> str:
        """The output of a command. Raises CalledProcessError when it fails."""
        result = subprocess.run(
            words, env=self.environment, cwd=self.folder, check=True, timeout=60, stdout=subprocess.PIPE, text=True
        )
        return result.stdout

    def running(self) -> list[str]:
        """The ids of running jobs."""
        return self.run("squeue", "--noheader", "--states=RUNNING", "--format=%i").split()


@contextmanager
def slurm(**more: str) -> Iterator[Slurm]:
    """A Slurm with idle nodes. more: environment variables of its daemons and commands."""
    # a short name, because a socket's path may have 107 characters; readable by others, because munged requires it
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
    cluster = Slurm(folder, {**os.environ, "PATH": PATH, "SLURM_CONF": str(conf), **more})
    try:
        files = {f"{word}-file": f"munge.{word}" for word in ("pid", "log", "seed")}
        _start(
            cluster,
            "munged",
            "--foreground",
            f"--key-file={key}",
            f"--socket={folder}/munge.sock",
            *(f"--{option}={folder}/{name}" for option, name in files.items()),
        )
        wait_until((folder / "munge.sock").exists, f"munged does not start: see {folder}/munged.out")
        _start(cluster, "slurmctld", "-D")
        for node in ("one", "two"):
            _start(cluster, "slurmd", "-D", "-N", node)
        wait_until(lambda: _idle(cluster) == 2, f"Slurm does not start: see {folder}", seconds=60)
        yield cluster
    finally:
        try:
            with suppress(subprocess.SubprocessError, UserError):
                cluster.run("scancel", "--user", user)
                wait_until(lambda: not cluster.run("squeue", "--noheader"), "the jobs do not end", seconds=30)
        finally:
            _end(str(conf))
    shutil.rmtree(folder)


def _start(cluster: Slurm, name: str, *words: str) -> None:
    with open(cluster.folder / f"{name}.out", "ab") as out:
        subprocess.Popen([str(shutil.which(name, path=PATH)), *words], env=cluster.environment, stdout=out, stderr=out)


def _idle(cluster: Slurm) -> int:
    """The number of nodes without work; 0 while the controller does not answer."""
    try:
        return len(cluster.run("sinfo", "--noheader", "--Node", "--states=IDLE", "--format=%N").split())
    except subprocess.CalledProcessError:
        return 0


def _end(conf: str) -> None:
    """Kill every process whose environment names this configuration: daemons, jobs and their child processes."""
    left = [p for p in psutil.process_iter() if p.pid != os.getpid() and _belongs_to(p.pid, conf)]
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=20)


def _belongs_to(pid: int, conf: str) -> bool:
    """Whether a process's environment names this configuration; psutil cannot tell where a daemon changed its title."""
    try:
        return f"SLURM_CONF={conf}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
