# Everything is installed into .venv from requirements.lock (exact versions and hashes). Debian packages: see scripts/setup.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test lint bench lock clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "missing: Python 3.11 or newer (set PYTHON=...)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "missing: the venv module (apt-get install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock || { echo "missing: the packages of requirements.lock (is a package index reachable?)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

lock:
	uv pip compile --quiet pyproject.toml --extra keyring --group dev --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 -o requirements.lock

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) demo-archive .bench
