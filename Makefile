# make install | test | demo | lock | clean | help; needs only Python 3.11-3.13 with venv, make and git.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: install test demo lock clean help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_FLAGS ?=
PYTEST_FLAGS ?=
# the stamp carries the content, not the age, of what it was installed from: clones have no ages
KEY := $(shell cat requirements.lock pyproject.toml | cksum | cut -d ' ' -f 1)
STAMP := $(VENV)/.installed-$(KEY)
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

install: $(STAMP) ## create .venv from requirements.lock, with the package editable in it

$(STAMP):
	@python=""; for name in "$(PYTHON)" python3.13 python3.12 python3.11; do \
		if "$$name" -c '$(SUPPORTED)' 2>/dev/null; then python="$$name"; break; fi; done; \
	if [ -z "$$python" ]; then \
		echo "no Python 3.11 to 3.13 found; install one, or run: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; \
		exit 1; fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		"$$python" -m venv --clear $(VENV) \
		|| { echo "python -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; fi
	@echo "installing requirements.lock into $(VENV): several GB with the GPU build of torch, some minutes"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --progress-bar off --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.installed-* && touch $@

test: install ## style, types, layers and every fast test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

demo: install ## the whole chain on a small drive; DEMO_FLAGS="--steps 8" shortens it
	$(BIN)/sam-crack demo $(DEMO_FLAGS)

lock: install ## renew requirements.lock for Linux and macOS, Python 3.11 to 3.13
	echo 'torch==2.14.1' | $(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 \
		--extra dev --custom-compile-command "make lock" --constraint /dev/stdin \
		pyproject.toml -o requirements.lock
	sed -i.old '/#   -c /d' requirements.lock && rm requirements.lock.old

clean: ## remove the environment and every cache; runs/ and fetched weights stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find sam_crack tests -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1	\2/p' Makefile | expand -t 10
