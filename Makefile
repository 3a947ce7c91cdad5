# What a person can do here. `make help` lists it; every target sets up what it needs from Python and pip.

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
VENV := $(ROOT)/.venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_E2E := $(VENV)/.ready-e2e
UV_VERSION := 0.13.9

PYTHON ?= python3
SEED ?= 42
SEEDS ?=
PORT ?= 3000
PYTEST_ARGS ?=
BENCH_ARGS ?=
FAULTS_ARGS ?=

SEG3B_HOME ?= $(ROOT)/.seg3b
DAGSTER_HOME ?= $(ROOT)/.dagster
DAGSTER_MODULE_NAME ?= seg3b_assets.definitions
export DAGSTER_MODULE_NAME
# Paths are made absolute, because the UI works in DAGSTER_HOME.
PATHS := SEG3B_HOME SEG3B_POLICIES SEG3B_UPSTREAM SEG3B_CACHE DAGSTER_HOME
$(foreach name,$(PATHS),$(if $($(name)),$(eval export override $(name) := $(if $(findstring ://,$($(name))),$($(name)),$(abspath $($(name)))))))
export PATH := $(BIN):$(PATH)
unexport VIRTUAL_ENV PYTHONHOME

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run certify test e2e soak faults ui bench docs lint format env clean setup dagster-home system-packages

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[36m%-10s\033[0m %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  Settings: SEED=$(SEED) PORT=$(PORT) PYTHON=$(PYTHON) SEG3B_HOME=$(SEG3B_HOME)"

run: $(READY) dagster-home ## Run one seed through S0-S5 (SEED=42)
	@cd $(ROOT) && seg3b run --seed $(SEED)

certify: $(READY) dagster-home ## Certify the policy's four seeds: gates, margins, verdict (SEEDS=1,2)
	@cd $(ROOT) && seg3b certify $(if $(SEEDS),--seeds $(SEEDS))

test: $(READY) ## Run the tests (PYTEST_ARGS="-k store")
	@cd $(ROOT) && python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

e2e: $(READY) $(READY_E2E) system-packages ## Run the slow tests: servers, a browser, the documents as written, kills
	@cd $(ROOT) && python -m pytest -m e2e -n 2 --dist loadfile $(PYTEST_ARGS)

soak: $(READY) ## Run the longest tests: twelve whole worlds certified, twenty kills of a four-seed run
	@cd $(ROOT) && python -m pytest -m soak -n 2 --dist loadfile $(PYTEST_ARGS)

faults: $(READY) ## Plant every fault and count what the audit catches; 50 untouched runs verify (FAULTS_ARGS="--only weight")
	@cd $(ROOT) && python -m seg3b_assets_tests.faults $(FAULTS_ARGS)

# Dagster refuses a workspace beside DAGSTER_MODULE_NAME, and warns of a dagster.yaml in a folder other than its home.
ui: $(READY) dagster-home ## Open the Dagster UI (PORT=3000)
	@cd $(DAGSTER_HOME) && exec env -u DAGSTER_MODULE_NAME PYTHONWARNINGS="ignore:Function" \
		dagster dev --workspace $(ROOT)/workspace.yaml --host 127.0.0.1 --port $(PORT)

bench: $(READY) ## Measure one seed: time and memory (BENCH_ARGS=--commands: plan, verify; --dagster: what Dagster adds)
	@cd $(ROOT) && python -m seg3b_assets.bench $(BENCH_ARGS)

docs: $(READY) ## Write the reference pages from schemas, models and registries
	@cd $(ROOT) && python -m seg3b_assets.reference

lint: $(READY) ## Check style, types and who may import whom
	@cd $(ROOT) && ruff check . && ruff format --check . && mypy seg3b_assets && lint-imports

format: $(READY) ## Let ruff format the code and mend what it can
	@cd $(ROOT) && ruff format . && ruff check --fix .

env: $(READY) dagster-home ## Print the exports a shell needs: eval "$(make env)"
	@echo 'export PATH="$(BIN):$$PATH"'
	@echo 'export SEG3B_HOME="$(SEG3B_HOME)"'
	@echo 'export DAGSTER_HOME="$(DAGSTER_HOME)"'
	@echo 'export DAGSTER_MODULE_NAME="$(DAGSTER_MODULE_NAME)"'

clean: ## Remove the environment and the tools' caches; outputs in SEG3B_HOME and worlds stay
	@rm -rf $(VENV) $(ROOT)/.bench $(ROOT)/.pytest_cache $(ROOT)/.mypy_cache $(ROOT)/.ruff_cache
	@rm -rf $(ROOT)/.hypothesis $(ROOT)/.import_linter_cache
	@find $(ROOT)/seg3b_assets $(ROOT)/seg3b_assets_tests -name __pycache__ -type d -prune -exec rm -rf {} +

setup: $(READY) dagster-home ## Only set up the environment

# Bytecode is compiled once, here: where Python may not write it, every command would compile thousands of files anew.
# uv trusts its own certificates; where a proxy signs with the system's, the second try uses those.
SYNC = sync() { UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --project $(ROOT) --frozen --quiet --compile-bytecode --python $(BIN)/python "$$@"; }; \
	sync_either() { sync "$$@" 2>/dev/null || sync "$$@" --system-certs >&2; }; sync_either

# Everything below writes to standard error, so that `eval "$(make env)"` reads exports only.
$(READY): $(ROOT)/pyproject.toml $(ROOT)/uv.lock
	@command -v "$(PYTHON)" >/dev/null || { echo "No $(PYTHON) here: install Python 3.11, or name one with PYTHON=/path/to/python3.11" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
		echo "$(PYTHON) is $$("$(PYTHON)" -V 2>&1); this project needs 3.11, 3.12 or 3.13: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Setting up $(VENV) (once)" >&2
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV) >&2
	@test "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = "$(UV_VERSION)" || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)" >&2
	@$(SYNC); rm -f $(READY_E2E); touch $@

$(READY_E2E): $(READY)
	@echo "Adding a browser's driver and the deployment's libraries to $(VENV) (once)" >&2
	@$(SYNC) --group e2e --extra deployment; touch $@

# What pip cannot install: a browser and a database server.
system-packages:
	@missing=; command -v chromium >/dev/null || missing="chromium"; \
	compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing="$$missing postgresql"; \
	test -z "$$missing" && exit 0; \
	test $$(id -u) = 0 -a -x /usr/bin/apt-get || { echo "The slow tests need these Debian packages: $$missing" >&2; exit 2; }; \
	echo "Installing $$missing" >&2; \
	apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null

dagster-home:
	@mkdir -p $(DAGSTER_HOME)
	@test -e $(DAGSTER_HOME)/dagster.yaml || ln -s $(ROOT)/dagster.yaml $(DAGSTER_HOME)/dagster.yaml
