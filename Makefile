# Everything is installed into .venv from requirements.lock (exact versions and hashes).
# Debian packages that tests and bench need are installed when they are missing and this is root (scripts/tools).
PYTHON ?= python3
MESSAGES ?= 20000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTED_WITH := dovecot=dovecot-imapd age=age zstd=zstd openssl=openssl strace=strace
DRAWN_WITH := libpango-1.0.so.0=libpango-1.0-0 libpangoft2-1.0.so.0=libpangoft2-1.0-0 libharfbuzz-subset.so.0=libharfbuzz-subset0 \
	NotoSans-Regular.ttf=fonts-noto-core NotoSansCJK-Regular.ttc=fonts-noto-cjk NotoColorEmoji.ttf=fonts-noto-color-emoji
RENDERED_WITH := chromium=chromium wkhtmltopdf=wkhtmltopdf fc-list=fontconfig
VERIFIED_WITH := dovecot=dovecot-imapd openssl=openssl pdfsig=poppler-utils
COMPARED_WITH := dovecot=dovecot-imapd openssl=openssl mbsync=isync restic=restic notmuch=notmuch

.PHONY: setup demo test lint bench bench-pdf bench-bundle lock clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "missing: Python 3.11 or newer (set PYTHON=...)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "missing: the venv module (apt-get install python3-venv)"; rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock || { echo "missing: the packages of requirements.lock (is a package index reachable?)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	@scripts/tools $(DRAWN_WITH)
	@$(BIN)/python -m examples.demo

test: lint
	@scripts/tools $(TESTED_WITH) $(DRAWN_WITH) qpdf=qpdf pdftotext=poppler-utils
	$(BIN)/pytest -n 2

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy examples tests/benchmarks
	$(BIN)/lint-imports

bench: setup
	@scripts/tools $(COMPARED_WITH)
	@$(BIN)/python -m tests.benchmarks.run --messages $(MESSAGES)

bench-pdf: setup
	@scripts/tools $(RENDERED_WITH) $(DRAWN_WITH)
	@$(BIN)/python -m tests.benchmarks.renditions --all

bench-bundle: setup
	@scripts/tools $(VERIFIED_WITH)
	@$(BIN)/python -m tests.benchmarks.bundle

lock:
	uv pip compile --quiet pyproject.toml --extra keyring --extra s3 --extra drive --extra bundle --group dev --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 -o requirements.lock

clean:
	rm -rf $(VENV) demo-archive .bench
