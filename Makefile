# make demo   the main job: handwritten digits with a dial for symmetry breaking; ARGS="--full" runs everything
# make test   every check, as CI runs it; the parts are: lint types imports docs doctest examples unit
# make results  runs the experiments whose records are stale, and writes docs/evidence; ARGS="--data FOLDER"
# make bench  the budget table of the benchmarks, on one thread, by CPU time; ARGS="--only decay"
# make findings  what other packages do: holds or has changed; installs each script's packages anew; FINDINGS="NAME ..."
# make docs   the documentation, into site/
# make clean  removes what the other targets made, but for .venv and runs/

VENV ?= .venv
WORKERS ?= 2
ARGS ?=
ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
endif

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# Large allocations stay with the process: given back at each step, they make plain L2 itself vary by a factor of 30.
KEEP_MEMORY := MALLOC_MMAP_THRESHOLD_=4294967295 MALLOC_TRIM_THRESHOLD_=68719476736 MALLOC_TOP_PAD_=268435456

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint types imports docs doctest examples unit results bench findings clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer not found; say where it is: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Stamps: installed once, and again when what is to be installed changes. The package itself is installed editable.
$(VENV)/installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing intertwine[demo] into $(VENV) (some minutes the first time) ..."
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing intertwine[dev] into $(VENV) (some minutes the first time) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/installed-demo

demo: $(VENV)/installed-demo
	$(BIN)/python -m experiments demo $(ARGS)

# The unit tests come last: their closing line is the one that is read.
test: lint types imports docs doctest examples unit

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

imports: $(VENV)/installed-dev
	$(BIN)/lint-imports --no-logo

# Not --quiet: that would silence the warnings which --strict counts.
docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

doctest: $(VENV)/installed-dev
	$(ONE_THREAD) $(BIN)/python -m pytest -q --doctest-modules src experiments

# ```python fences run as scripts; the >>> lines of ```pycon fences are compared with what they print.
examples: $(VENV)/installed-dev
	$(ONE_THREAD) $(BIN)/python -m pytest -q --markdown-docs --markdown-docs-syntax=superfences --doctest-glob='*.md' \
		docs $(wildcard README.md)

unit: $(VENV)/installed-dev
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) tests $(ARGS)

# Experiments whose packages are missing (the extras smoke, ct) are left out and say so.
results: $(VENV)/installed-dev
	$(BIN)/python -m experiments reproduce --stale $(ARGS)
	$(BIN)/python -m experiments evidence

bench: $(VENV)/installed-dev
	$(KEEP_MEMORY) $(ONE_THREAD) $(BIN)/python -m benchmarks $(ARGS)

# Goes on past a failure; the output of each is in runs/findings.
FINDINGS ?= $(patsubst findings/%.sh,%,$(sort $(wildcard findings/*.sh)))
findings:
	@mkdir -p runs/findings; changed=0; \
	for name in $(FINDINGS); do \
		if findings/$$name.sh >runs/findings/$$name.txt 2>&1; then echo "holds    $$name"; \
		else changed=$$((changed + 1)); echo "CHANGED  $$name (runs/findings/$$name.txt)"; fi; \
	done; \
	echo "$$changed of $(words $(FINDINGS)) changed, or could not be run"; test $$changed -eq 0

clean:
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src experiments tests benchmarks examples docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
