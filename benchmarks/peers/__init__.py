"""Programs that do with other tools what tunebook is compared with; each runs in an environment of its own."""
