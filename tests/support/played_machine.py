"""Answers in the shapes that clusters give (written by hand), and programs and environments to play a machine with."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CONFIG", "PARTITIONS", "SINFO", "conda_environment", "program"]

SINFO = """\
cpu|96+|384000+|cascade,ib|(null)
gpu|48|380000|a100,gpu40,intel|gpu:a100:2(S:0-1)
gpu|64|1000000|a100,gpu80,amd|gpu:a100:4(S:0-1),shard:16
mig|64|1000000|mig|gpu:1g.10gb:28(S:0-1)
mixed|32|190000|v100|gpu:v100:4
mixed|32|190000|t4|gpu:t4:2
"""
PARTITIONS = """\
PartitionName=cpu AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL Default=YES MaxTime=6-00:00:00 State=UP
PartitionName=gpu AllowGroups=ALL AllowAccounts=lab,physics AllowQos=short,medium MaxTime=1-00:00:00 State=UP TRES=cpu=2
PartitionName=mig AllowGroups=mig-users AllowAccounts=ALL AllowQos=ALL Default=NO MaxTime=UNLIMITED State=UP
PartitionName=mixed AllowGroups=ALL DenyAccounts=guests AllowQos=ALL Default=NO MaxTime=00:30:00 State=UP
PartitionName=old AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL Default=NO MaxTime=UNLIMITED State=DOWN
"""
CONFIG = """\
Configuration data as of 2026-01-01T00:00:00
AccountingStorageEnforce = associations,limits,qos,safe
ClusterName             = anycluster
SelectType              = select/cons_tres
Slurmctld(primary) at head is UP
"""


def program(tmp_path: Path, name: str, body: str) -> Path:
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return path


def conda_environment(prefix: Path, *packages: str) -> None:
    (prefix / "conda-meta").mkdir(parents=True)
    for package in packages:
        (prefix / "lib" / "python3.11" / "site-packages" / package).mkdir(parents=True)
