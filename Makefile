# What a person can do here. `make help` lists it; every target sets up what it needs from Python and pip.


# Make splits text at spaces and reads `#` and `$` its own way, so no path is ever a word of make's: recipes get them in
# the environment, as they were given, and the functions below do the rest.
UV_VERSION := 0.13.9

PYTHON ?= python3
SEED ?= 42
SEEDS ?=
PORT ?= 3000
PYTEST_ARGS ?=
BENCH_ARGS ?=
FAULTS_ARGS ?=
DAGSTER_MODULE_NAME ?= seg3b_assets.definitions

export MAKE_FILE := $(value MAKEFILE_LIST)
export DAGSTER_MODULE_NAME UV_VERSION
export override PYTHON := $(value PYTHON)
PATHS := SEG3B_HOME SEG3B_POLICIES SEG3B_UPSTREAM SEG3B_CACHE DAGSTER_HOME
$(foreach name,$(PATHS),$(if $(value $(name)),$(eval export override $(name) := $$(value $(name)))))
unexport VIRTUAL_ENV PYTHONHOME

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run certify test e2e spark soak faults ui bench docs lint format audit-dependencies env clean setup

# What every recipe begins with; all it says goes to standard error, so that `eval "$(make env)"` reads exports only.
define MAKE_SHELL
fail() { echo "$$*" >&2; exit 2; }

# The clone is where this Makefile is. Paths become absolute, because the UI works in DAGSTER_HOME.
root=$$(cd "$$(dirname "$${MAKE_FILE# }")" && pwd)
absolute() { case "$$1" in /* | *://*) printf '%s' "$$1" ;; *) printf '%s' "$$PWD/$$1" ;; esac; }
for name in SEG3B_HOME SEG3B_POLICIES SEG3B_UPSTREAM SEG3B_CACHE DAGSTER_HOME; do
  test -z "$${!name:-}" || export "$$name=$$(absolute "$${!name}")"
done
export SEG3B_HOME="$${SEG3B_HOME:-$$root/.seg3b}" DAGSTER_HOME="$${DAGSTER_HOME:-$$root/.dagster}"

# What no program below us can carry: PATH has no way to write a colon, Dagster's migrations none to write a percent sign.
case "$$root" in *:* | *%*) fail "This clone cannot be used where it is: its path has a ':' or a '%': $$root" ;; esac
for path in "$$root" "$$SEG3B_HOME" "$$DAGSTER_HOME"; do
  case "$$path" in *[[:cntrl:]]*) fail "A path has a control character: $$(printf '%q' "$$path")" ;; esac
done
case "$$DAGSTER_HOME" in *[?]*) fail "DAGSTER_HOME cannot be used: an address of SQLite ends at a '?': $$DAGSTER_HOME" ;; esac

venv=$$root/.venv bin=$$root/.venv/bin
export PATH="$$bin:$$PATH"
unset MAKE_SHELL MAKE_FILE

# Bytecode is compiled once, here: where Python may not write it, every command would compile thousands of files anew.
# uv trusts its own certificates; where a proxy signs with the system's, the second try uses those.
sync() { UV_PROJECT_ENVIRONMENT="$$venv" "$$bin/uv" sync --project "$$root" --frozen --quiet --compile-bytecode --python "$$bin/python" "$$@"; }
sync_either() { sync "$$@" 2>/dev/null || sync "$$@" --system-certs >&2; }

newest() { test -e "$$1" && ! test "$$root/pyproject.toml" -nt "$$1" && ! test "$$root/uv.lock" -nt "$$1"; }

# The environment, made where it is not there or older than what says what belongs into it. Whoever comes second waits.
ready() {
  newest "$$venv/.ready" && return
  command -v "$$PYTHON" >/dev/null || fail "No $$PYTHON here: install Python 3.11, or name one with PYTHON=/path/to/python3.11"
  "$$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' ||
    fail "$$PYTHON is $$("$$PYTHON" -V 2>&1); this project needs 3.11, 3.12 or 3.13: make PYTHON=python3.11 …"
  mkdir -p "$$venv"; exec 9>"$$venv/.setting-up"; ! command -v flock >/dev/null || flock 9
  newest "$$venv/.ready" && return
  echo "Setting up $$venv (once)" >&2
  test -x "$$bin/python" || "$$PYTHON" -m venv "$$venv" >&2
  test "$$("$$bin/uv" --version 2>/dev/null | cut -d' ' -f2)" = "$$UV_VERSION" ||
    "$$bin/python" -m pip install --quiet --disable-pip-version-check "uv==$$UV_VERSION" >&2
  sync_either; rm -f "$$venv"/.ready-*; touch "$$venv/.ready"
  exec 9>&-
}

# What some tests need besides. with NAME OPTION...: a group of packages, once per environment.
with() {
  ready
  test -e "$$venv/.ready-$$1" && return
  echo "Adding what $$1 needs to $$venv (once)" >&2
  sync_either --inexact "$${@:2}"; touch "$$venv/.ready-$$1"
}

# What pip cannot install: a browser and a database server.
system_packages() {
  missing=; command -v chromium >/dev/null || missing="chromium"
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing="$$missing postgresql"
  test -n "$$missing" || return 0
  test $$(id -u) = 0 -a -x /usr/bin/apt-get || fail "The slow tests need these Debian packages: $$missing"
  echo "Installing $$missing" >&2
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null
}

# Several may do this at once.
dagster_home() {
  mkdir -p "$$DAGSTER_HOME"
  test -e "$$DAGSTER_HOME/dagster.yaml" || ln -s "$$root/dagster.yaml" "$$DAGSTER_HOME/dagster.yaml" 2>/dev/null ||
    test -e "$$DAGSTER_HOME/dagster.yaml" || fail "$$DAGSTER_HOME/dagster.yaml cannot be made"
}
endef
export MAKE_SHELL
BEGIN := eval "$$MAKE_SHELL"

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2 }' "$${MAKE_FILE# }"
	@$(BEGIN); echo; echo "  Settings: SEED=$(SEED) PORT=$(PORT) PYTHON=$$PYTHON SEG3B_HOME=$$SEG3B_HOME"

run: ## Run one seed through S0-S5 (SEED=42)
	@$(BEGIN); ready; dagster_home; cd "$$root" && seg3b run --seed $(SEED)

certify: ## Certify the policy's four seeds: gates, margins, verdict (SEEDS=1,2)
	@$(BEGIN); ready; dagster_home; cd "$$root" && seg3b certify $(if $(SEEDS),--seeds $(SEEDS))

test: ## Run the tests (PYTEST_ARGS="-k store")
	@$(BEGIN); ready; cd "$$root" && python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

e2e: ## Run the slow tests: servers, a browser, the documents as written, kills
	@$(BEGIN); with e2e --group e2e --extra deployment; system_packages; cd "$$root" && python -m pytest -m e2e -n 2 --dist loadfile $(PYTEST_ARGS)

spark: ## Read an export with Spark and compare (needs a Java)
	@$(BEGIN); command -v java >/dev/null || fail "Spark needs a Java: install one, as default-jre-headless"; \
		with spark --group spark; cd "$$root" && python -m pytest -m spark $(PYTEST_ARGS)

soak: ## Run the longest tests: twelve whole worlds certified, twenty kills of a four-seed run
	@$(BEGIN); ready; cd "$$root" && python -m pytest -m soak -n 2 --dist loadfile $(PYTEST_ARGS)

faults: ## Plant every fault and count what the audit catches; 50 untouched runs verify (FAULTS_ARGS="--only weight")
	@$(BEGIN); ready; cd "$$root" && python -m seg3b_assets_tests.faults $(FAULTS_ARGS)

hostile: ## Bring every hostile input to every door, then 2,000 mutated ones (HOSTILE_ARGS="--only pipe", FUZZ_ARGS="--seed 2")
	@$(BEGIN); ready; cd "$$root" && python -m seg3b_assets_tests.hostile $(HOSTILE_ARGS) && \
		python -m seg3b_assets_tests.hostile.fuzz $(FUZZ_ARGS)

# Dagster refuses a workspace beside DAGSTER_MODULE_NAME. The webserver is Dagster's, behind what docs/security.md tells.
ui: ## Open the Dagster UI (PORT=3000)
	@$(BEGIN); ready; dagster_home; cd "$$DAGSTER_HOME" && exec env -u DAGSTER_MODULE_NAME PYTHONWARNINGS="ignore:Function" \
		python -m seg3b_assets.orchestration.ui --workspace "$$root/workspace.yaml" --host 127.0.0.1 --port $(PORT)

bench: ## Measure one seed: time and memory (BENCH_ARGS=--commands: plan, verify; --dagster: what Dagster adds)
	@$(BEGIN); ready; cd "$$root" && python -m seg3b_assets.bench $(BENCH_ARGS)

docs: ## Write the reference pages from schemas, models and registries
	@$(BEGIN); ready; cd "$$root" && python -m seg3b_assets.reference

lint: ## Check style, types, who may import whom, dead code and unused dependencies
	@$(BEGIN); ready; cd "$$root" && ruff check . && ruff format --check . && mypy seg3b_assets && lint-imports && \
		vulture && deptry . --no-ansi

format: ## Let ruff format the code and mend what it can
	@$(BEGIN); ready; cd "$$root" && ruff format . && ruff check --fix .

audit-dependencies: ## Ask the vulnerability database about every locked package (needs the network; not in CI)
	@$(BEGIN); ready; cd "$$root" && uv audit --preview-features audit-command --frozen

env: ## Print the exports a shell needs: eval "$(make env)"
	@$(BEGIN); ready; dagster_home; printf 'export PATH=%q:"$$PATH"\n' "$$bin"; \
		for name in SEG3B_HOME DAGSTER_HOME DAGSTER_MODULE_NAME; do printf 'export %s=%q\n' "$$name" "$${!name}"; done

clean: ## Remove the environment and the tools' caches; outputs in SEG3B_HOME and worlds stay
	@$(BEGIN); rm -rf "$$venv" "$$root/.bench" "$$root/.pytest_cache" "$$root/.mypy_cache" "$$root/.ruff_cache" \
		"$$root/.hypothesis" "$$root/.import_linter_cache"; \
		find "$$root/seg3b_assets" "$$root/seg3b_assets_tests" -name __pycache__ -type d -prune -exec rm -rf {} +

setup: ## Only set up the environment
	@$(BEGIN); ready; dagster_home
