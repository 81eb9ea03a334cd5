"""What agents read: skills that call the verbs, and a section for AGENTS.md."""
