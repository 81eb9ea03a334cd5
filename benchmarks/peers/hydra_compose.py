"""Hydra composes a configuration for each run of a sweep, and writes it as YAML: one file a run.

Arguments: a directory with ``finetune.yaml``, where the files go, and the number of runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hydra import compose, initialize_config_dir  # type: ignore[import-not-found]
from omegaconf import OmegaConf

configurations, target, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
with initialize_config_dir(str(configurations), version_base=None):
    for number in range(count):
        overrides = [
            f"model.lora_rank={2 ** (number % 5 + 2)}",
            f"optimizer.lr={(1e-5, 5e-5, 1e-4, 3e-4)[number // 5 % 4]}",
            f"seed={number // 20}",
        ]
        folder = target / f"run{number}"
        folder.mkdir(parents=True)
        (folder / "finetune.yaml").write_text(OmegaConf.to_yaml(compose("finetune", overrides)))
