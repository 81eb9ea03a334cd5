"""Everything that touches the disk or starts a program: atomic writes, manifest, ledger, lock."""
