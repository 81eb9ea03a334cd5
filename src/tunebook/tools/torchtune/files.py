"""Names of the files that torchtune's part of a run's directory has."""

__all__ = ["FINETUNE_CONFIG", "FINETUNE_SCRIPT", "SETUP"]

SETUP = "setup_finetune.yaml"
FINETUNE_CONFIG = "finetune.yaml"
FINETUNE_SCRIPT = "finetune.slurm"
