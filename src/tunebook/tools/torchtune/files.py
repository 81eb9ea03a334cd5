"""The name of the configuration that torchtune's part of a run's directory has."""

__all__ = ["FINETUNE_CONFIG"]

FINETUNE_CONFIG = "finetune.yaml"
