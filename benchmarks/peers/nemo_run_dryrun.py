"""NeMo-Run makes SLURM scripts of an experiment in a dry run: one script a run.

Arguments: where its files go, and the number of runs.
"""

from __future__ import annotations

import sys

import nemo_run as run  # type: ignore[import-not-found]

target, count = sys.argv[1], int(sys.argv[2])
tunnel = run.LocalTunnel(job_dir=target)
with run.Experiment("sweep", base_dir=target) as experiment:
    for number in range(count):
        executor = run.SlurmExecutor(account="a", partition="gpu", time="00:16:00", mem="16G", tunnel=tunnel)
        executor.packager = run.Packager()
        script = run.Script(inline=f"python train.py --rank {2 ** (number % 5 + 2)} --seed {number // 20}")
        experiment.add(script, executor=executor, name=f"run{number}")
    experiment.dryrun(delete_exp_dir=False)
