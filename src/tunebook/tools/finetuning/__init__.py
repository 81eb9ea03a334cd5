"""Everything that the tools which fine-tune have in common: ``setup_finetune.yaml``, its rules, files and job."""
