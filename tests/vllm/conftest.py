"""Leaves out the tests with a real vLLM, which has an environment of its own: ``make test-vllm`` names it."""

from __future__ import annotations

import os

os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GB; the default suits models of real size
if not os.environ.get("TUNEBOOK_VLLM"):
    collect_ignore_glob = ["test_*.py"]
