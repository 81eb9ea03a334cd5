"""What runs jobs: this machine, a scheduler."""
