"""The preparation tool ``torchtune``: from fine-tuned runs of the plan to training configurations and jobs."""
