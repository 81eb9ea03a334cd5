"""A real single-node SLURM of the tests' own, with accounting or without: what it needs is in one folder."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.patience import HANG_S

__all__ = ["Cluster", "cluster_at", "empty_queue", "why_not"]

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
_ACCOUNTING = ("slurmdbd", "sacctmgr", "sacct", "mariadbd", "mariadb-install-db", "mariadb")
_CONF = """\
ClusterName={name}
SlurmctldHost={host}
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
ReturnToService=2
GresTypes=gpu
MaxArraySize=1001
MaxJobCount={max_jobs}
MinJobAge={min_job_age}
KillWait=60
SlurmctldTimeout=10
MessageTimeout=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
NodeName={host} {node} Gres=gpu:2
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 OverSubscribe=FORCE:32
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=9 PreemptMode=OFF
{accounting}
"""
_WITH_DBD = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={port}
AccountingStoragePass={munge}/munge.socket
AccountingStorageEnforce=limits,qos
AccountingStoreFlags=job_comment
"""
_DBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={munge}/munge.socket
DbdHost=localhost
DbdPort={port}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
"""


def why_not(*, accounting: bool = False) -> str:
    """Why there can be no cluster here; empty if there can."""
    if os.getuid() != 0:
        return "a SLURM of the tests' own needs root"
    names = _PROGRAMS + (_ACCOUNTING if accounting else ())
    missing = [name for name in names if _find(name) is None]
    packages = "slurm-wlm munge" + (" slurmdbd mariadb-server" if accounting else "")
    return f"SLURM is not installed: {', '.join(missing)} (Debian: apt-get install {packages})" if missing else ""


def _find(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


@dataclass
class Cluster:
    """A running cluster; ``env`` is what its programs need."""

    folder: Path
    name: str
    database: subprocess.Popen[bytes] | None = None

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def env(self) -> Mapping[str, str]:
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        return {**os.environ, "SLURM_CONF": str(self.conf), "PATH": path}

    def ask(self, *argv: str, check: bool = True) -> str:
        """What one of SLURM's programs prints."""
        answer = subprocess.run(argv, env=dict(self.env), capture_output=True, text=True, timeout=HANG_S, check=False)
        assert not check or answer.returncode == 0, f"{argv}: {answer.stderr}"
        return answer.stdout

    def start(self, daemon: str, *options: str) -> None:
        """Starts a daemon, which goes into the background by itself."""
        program = _find(daemon)
        assert program is not None
        subprocess.run([program, *options], env=dict(self.env), check=True, timeout=HANG_S, stdin=subprocess.DEVNULL)

    def stop(self, daemon: str) -> None:
        """Ends a daemon by its pid file, and waits until it is gone."""
        with suppress(OSError, ValueError):
            pid = int((self.folder / f"{daemon}.pid").read_text())
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + HANG_S
            while time.monotonic() < deadline:
                os.kill(pid, 0)
                time.sleep(0.05)
            os.kill(pid, signal.SIGKILL)

    def release(self, job_id: str) -> None:
        """Lets a requeued job start, which SLURM holds back for two minutes: in the same second it would be refused."""
        deadline = time.monotonic() + HANG_S
        while self.ask("squeue", "-h", "--format=%T", f"--jobs={job_id}").strip() != "PENDING":
            assert time.monotonic() < deadline, "it was not requeued"
            time.sleep(0.05)
        time.sleep(1.1)
        self.ask("scontrol", "update", f"JobId={job_id}", "StartTime=now", check=False)

    def until_up(self) -> None:
        """Waits until the node takes jobs."""
        deadline = time.monotonic() + HANG_S
        while not re.search(r"\b(idle|mix|alloc)", self.ask("sinfo", "-h", "-o", "%t", check=False)):
            assert time.monotonic() < deadline, _logs(self.folder)
            time.sleep(0.1)

    def clear(self) -> None:
        """Ends all jobs, so that tests do not see each other's."""
        self.ask("scancel", "--user=root", check=False)
        self.ask("scancel", "--user=root", "--signal=KILL", check=False)
        deadline = time.monotonic() + HANG_S
        while self.ask("squeue", "-h", check=False).strip() and time.monotonic() < deadline:
            time.sleep(0.1)


def _logs(folder: Path) -> str:
    return "\n".join(f"== {path.name}\n{path.read_text()[-2000:]}" for path in folder.glob("*.log"))


def _free_port() -> int:
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        return int(here.getsockname()[1])


@contextmanager
def cluster_at(
    folder: Path, *, accounting: bool = False, min_job_age: int = 300, max_jobs: int = 20000
) -> Iterator[Cluster]:
    """Starts munge, SLURM and, if that is wanted, its accounting; ends them by their pid files."""
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir(parents=True)
    for number in range(2):
        (folder / f"fakegpu{number}").touch()
    cluster = Cluster(folder, f"tune{secrets.token_hex(3)}")
    dbd_port = _free_port()
    values = {
        "folder": folder,
        "munge": folder / "munge",
        "host": host,
        "name": cluster.name,
        "port": dbd_port,
        "sql_port": _free_port(),
    }
    node = " ".join(
        re.findall(r"(?:CPUs|Boards|SocketsPerBoard|CoresPerSocket|ThreadsPerCore|RealMemory)=\d+", _hardware())
    )
    text = _CONF.format(
        **values,
        ctld_port=_free_port(),
        slurmd_port=_free_port(),
        node=node,
        max_jobs=max_jobs,
        min_job_age=min_job_age,
        accounting=_WITH_DBD.format(**values) if accounting else "",
    )
    cluster.conf.write_text(text)
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu Count=2 File={folder}/fakegpu[0-1]\n")
    with _munge(folder / "munge"):
        try:
            if accounting:
                _start_accounting(cluster, _DBD_CONF.format(**values), values["sql_port"])
            cluster.start("slurmctld")
            cluster.start("slurmd")
            cluster.until_up()
            yield cluster
        finally:
            cluster.clear()
            for daemon in ("slurmd", "slurmctld", "slurmdbd"):
                cluster.stop(daemon)
            if cluster.database is not None:
                cluster.database.terminate()
                cluster.database.wait(timeout=HANG_S)


def _hardware() -> str:
    program = _find("slurmd")
    assert program is not None
    return subprocess.run([program, "-C"], capture_output=True, text=True, check=True).stdout


@contextmanager
def _munge(folder: Path) -> Iterator[None]:
    """A munge of our own, with a key, a socket and a log in one folder."""
    program = _find("munged")
    assert program is not None
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    folder.chmod(0o711)
    pid = folder / "munged.pid"
    options = [f"--key-file={key}", f"--socket={folder}/munge.socket", f"--log-file={folder}/munged.log"]
    options += [f"--pid-file={pid}", f"--seed-file={folder}/munged.seed", "--force"]
    subprocess.run([program, *options], check=True, timeout=HANG_S, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            os.kill(int(pid.read_text()), signal.SIGTERM)


def _start_accounting(cluster: Cluster, conf: str, port: object) -> None:
    folder = cluster.folder
    data = folder / "mysql"
    sock = folder / "mysql.sock"
    options = ["--no-defaults", "--user=root", f"--datadir={data}"]
    install, server, client = (_find(name) for name in ("mariadb-install-db", "mariadbd", "mariadb"))
    assert install is not None
    assert server is not None
    assert client is not None
    subprocess.run([install, *options], check=True, capture_output=True, timeout=HANG_S)
    run = [
        server,
        *options,
        f"--socket={sock}",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        f"--pid-file={folder}/mariadb.pid",
    ]
    with (folder / "mariadb.log").open("w") as log:
        cluster.database = subprocess.Popen(run, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + HANG_S
    sql = "CREATE OR REPLACE USER slurm@'%' IDENTIFIED BY 'slurm'; GRANT ALL ON *.* TO slurm@'%';"
    sql += "CREATE OR REPLACE USER slurm@localhost IDENTIFIED BY 'slurm'; GRANT ALL ON *.* TO slurm@localhost;"
    while subprocess.run([client, f"--socket={sock}", "-e", sql], capture_output=True, check=False).returncode != 0:
        assert time.monotonic() < deadline, _logs(folder)
        time.sleep(0.2)
    path = folder / "slurmdbd.conf"
    path.write_text(conf)
    path.chmod(0o600)
    cluster.start("slurmdbd")
    while "Cluster" not in cluster.ask("sacctmgr", "show", "cluster", check=False):
        assert time.monotonic() < deadline, _logs(folder)
        time.sleep(0.2)
    for words in (
        ("add", "cluster", cluster.name),
        ("add", "account", "lab"),
        ("add", "user", "root", "account=lab"),
    ):
        cluster.ask("sacctmgr", "-i", *words, check=False)


@contextmanager
def empty_queue(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster as the one that this process's programs ask; no job is left behind."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, cluster.env[name])
    yield cluster
    cluster.clear()
