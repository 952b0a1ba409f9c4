# Needs Python 3.11 or newer and nothing else; everything it makes is in .venv, .make and data.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet install
# One stamp a place: a checkout that was copied or moved is installed anew.
PLACE := $(subst /,-,$(subst $() ,_,$(CURDIR)))
RUNTIME := $(VENV)/.runtime$(PLACE)
DEVELOPMENT := $(VENV)/.development$(PLACE)

# What needs neither a database nor a browser.
UNIT := tests/domain tests/twilio

# No test may reach a real account or a real database.
CLEAN := env -u DATABASE_URL -u PUBLIC_URL $(foreach name,$(filter TWILIO_%,$(.VARIABLES)),-u $(name))

export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help run test lint bench dev lock chromium

help: ## This list.
	@echo "make ..."
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1 \2/p' $(MAKEFILE_LIST) | while read -r name what; do printf '  %-7s %s\n' "$$name" "$$what"; done

run: $(RUNTIME) ## The whole product with a demonstration district and a simulator in place of Twilio.
	@exec $(RUN) -m tp_inbox.cli demo --stop-with-parent

test: lint chromium ## Every check and every test, the quick ones first.
	$(CLEAN) $(RUN) -m pytest $(UNIT) -m "not slow"
	$(CLEAN) $(RUN) -m pytest $(addprefix --ignore=,$(UNIT)) -m "not browser and not slow"
	$(CLEAN) $(RUN) -m pytest -m "browser or slow"

lint: $(DEVELOPMENT) ## Style, types and the direction of imports.
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m pyright
	$(RUN) -c 'from importlinter.cli import lint_imports_command as check; check()'

bench: $(DEVELOPMENT) chromium ## Measure; prints a table and writes bench/report.json.
	$(RUN) -m tp_inbox.cli bench

dev: $(DEVELOPMENT) ## As run, and the app starts again when a source changes.
	$(RUN) -m watchfiles --sigint-timeout 30 "$(RUN) -m tp_inbox.cli demo --stop-with-parent" tp_inbox assets rxconfig.py

lock: $(DEVELOPMENT) ## Choose the versions anew from pyproject.toml.
	$(PIP) uv
	$(RUN) -m uv pip compile $(COMPILE) --extra build -o requirements.lock pyproject.toml
	$(RUN) -m uv pip compile $(COMPILE) --extra build --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	rm -rf .make/frontend reflex.lock && $(RUN) -m tp_inbox.cli build && cp -r .make/frontend/work/reflex.lock .

COMPILE := --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links

$(RUNTIME): requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what requirements.lock names."
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what requirements-dev.lock names."
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation --no-index --editable .
	@touch $@ $(RUNTIME)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and no python3 here is one." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv" >&2; \
		rm -rf $(VENV); exit 1; }

# Browser tests use the system's Chromium: a download of Playwright's own would not come from a package registry.
chromium:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	if command -v apt-get >/dev/null && $$sudo true 2>/dev/null; then \
		$$sudo apt-get update -qq && $$sudo apt-get install -qq -y chromium >/dev/null; \
	else echo "Browser tests need Chromium: install it with your system's package manager." >&2; exit 1; fi
