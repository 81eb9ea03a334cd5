"""The harness of ``make stress``: what kills, faults, editors and hostile input do to tunebook."""
