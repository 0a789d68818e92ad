# The workshop: every target does its own set-up; nothing but Python 3.11+, make and git is taken for granted.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
APT    := prometheus prometheus-alertmanager chromium
APT_PACKAGING := buildah debootstrap strace docker-compose
SOURCES := exporter tests benchmarks tools
# Whether each program of a list is there: `command -v` looks at the first of several only.
have = (for program in $(1); do command -v $$program > /dev/null || exit 1; done)

.DEFAULT_GOAL := help
.PHONY: help demo test test-packaging lint format bench soak lock docs screenshot sbom sync-chart clean system-packages

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## simulator and exporter together; no configuration, no credentials
	@$(BIN)/workspace-exporter demo

test: $(VENV)/.dev system-packages lint ## everything: linters, types, tests, coverage
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest -n 2 -m "not (packaging and real)" $(PYTEST_ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

test-packaging: $(VENV)/.packaging system-packages ## image, chart, compose file, unit, wheel: with the real tools
	@if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  $(call have,$(APT_PACKAGING)) || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(APT_PACKAGING) > $(VENV)/apt.log 2>&1; } \
	  || { tail -n 20 $(VENV)/apt.log; exit 1; }; fi
	@$(BIN)/python -m tools.fetch_helm
	@$(BIN)/python -m pytest -m packaging $(PYTEST_ARGS) tests/packaging

lint: $(VENV)/.dev ## ruff, mypy strict, import-linter
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > .venv/imports.log || { cat .venv/imports.log; exit 1; }

format: $(VENV)/.dev ## rewrite the sources in the house's format
	@$(BIN)/ruff check --fix --quiet $(SOURCES)
	@$(BIN)/ruff format --quiet $(SOURCES)

bench: $(VENV)/.dev ## measure; prints a table and writes benchmarks/latest.json
	@$(BIN)/python -m benchmarks

soak: $(VENV)/.dev ## a simulated week of trouble in six minutes: does everything come back to where it was?
	@$(BIN)/python -m benchmarks.soak $(SOAK_ARGS)

docs: $(VENV)/.dev ## write the generated documents and the dashboard anew
	@$(BIN)/python -m tools.documents
	@$(BIN)/python -m tools.dashboard

screenshot: $(VENV)/.dev system-packages ## take the README's picture anew, of the running demo
	@$(BIN)/python -m tools.screenshot

sbom: $(VENV)/.packaging ## a bill of materials (CycloneDX) from the lock file
	@$(BIN)/python -m tools.sbom

sync-chart: $(VENV)/.packaging ## copy rules and dashboard into the chart, render the plain manifests anew
	@$(BIN)/python -m tools.fetch_helm
	@$(BIN)/python -m tools.sync_chart

lock: $(VENV)/.runtime ## resolve the dependencies anew (needs uv: pip install uv)
	@for f in "pyproject.toml -o requirements/runtime.txt" \
	          "--group build -o requirements/build.txt" \
	          "pyproject.toml --group dev --group build -o requirements/dev.txt -c requirements/runtime.txt" \
	          "--group packaging -o requirements/packaging.txt -c requirements/dev.txt"; do \
	  uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
	    --no-emit-index-url --no-emit-find-links $$f || exit 1; \
	done

clean: ## remove everything that make made
	@rm -rf $(VENV) .cache .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache dist build

# The real parts that the tests start. Where apt may not be used, those tests skip and say so.
system-packages:
	@$(call have,$(APT) promtool amtool) && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  echo "installing $(APT)"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(APT) > .venv/apt.log 2>&1 \
	    || { tail -n 20 .venv/apt.log; exit 1; }; \
	else echo "not installing $(APT): no apt here, or not root; their tests will skip"; fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "the venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@$(PIP) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.packaging: requirements/packaging.txt $(VENV)/.dev
	@$(PIP) install --require-hashes -r requirements/packaging.txt
	@touch $@
