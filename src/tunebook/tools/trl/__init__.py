"""The preparation tool ``trl``: from fine-tuned runs of the plan to the settings and jobs of TRL's ``SFTTrainer``."""
