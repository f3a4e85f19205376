# Everything here works from a fresh clone: the virtual environment is made on first use,
# and brought up to date when pyproject.toml changes.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help demo test lint format bench bench-full clean

help:
	@echo 'make demo    show the main job: two runners, one store'
	@echo 'make test    run the tests          (ARGS="-k pull" for some of them)'
	@echo 'make lint    check style, types and import layers'
	@echo 'make format  mend what the linter can mend'
	@echo 'make bench   measure, 5 minutes     (ARGS="restore" for one part)'
	@echo 'make bench-full  measure everything, on real NFS too, for hours'
	@echo 'make clean   remove all that these made'

demo: $(VENV)/.demo
	@$(BIN)/wheelferry demo $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m tests.support.uvs || true
	@$(BIN)/python -m tests.support.gitlab || true
	@$(BIN)/python -m tests.support.promtool || true
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(VENV)/.bench
	@$(BIN)/python -m benchmarks --quick $(ARGS)

bench-full: $(VENV)/.bench
	@$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) .uv-versions .gitlab-ci-local-npm .promtool .report-inputs dist .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Three stamps: the demo does not wait for linters, nor the tests for what draws plots.
$(VENV)/.demo: pyproject.toml | $(VENV)/pyvenv.cfg
	@echo 'installing wheelferry into $(VENV)'
	@$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/pyvenv.cfg
	@echo 'installing wheelferry, test tools and linters into $(VENV)'
	@$(PIP) install --editable '.[demo,test,lint]'
	@touch $(VENV)/.demo $@

$(VENV)/.bench: $(VENV)/.dev
	@echo 'installing what draws plots into $(VENV)'
	@$(PIP) install --editable '.[bench]'
	@touch $@

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo '$(PYTHON) is missing, or older than Python 3.11; try: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install -y python3-venv' >&2; \
	  exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
