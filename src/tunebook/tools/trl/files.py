"""Names of the files that TRL's part of a run's directory has."""

__all__ = ["ACCELERATE_CONFIG", "SFT_CONFIG"]

SFT_CONFIG = "sft.yaml"
ACCELERATE_CONFIG = "accelerate.yaml"
