# Everything a developer runs. `make check` is the first part of what CI runs (.ci/run).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_ARGS ?=
DEMO_ARGS ?=
FUZZ_ARGS ?= --examples 1000000 --write docs/fuzzing.md
SEED ?= 1
MINUTES ?= 5
CHAOS_ARGS ?=
RETARGET_PEERS ?= ../shared/bench/peers

.DEFAULT_GOAL := help
.PHONY: help setup clients test test-slow test-compiled bench bench-quick guard peers fuzz chaos demo lint format types contracts \
  check clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: $(STAMP) ## the virtual environment, with the command .venv/bin/retarget

# Written last, so that an install that broke off is begun again.
$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[demo,channels,dev]"
	@touch $@

clients: ## the client libraries for the collector's tests (needs Node; analytics.js also Chromium)
	npm install --prefix tests/clients --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error

test: setup ## all tests; those whose servers are missing are skipped with the reason
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-slow: setup ## the long ones: chaos on real parts, every pair of faults, all public data sets (an hour)
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

fuzz: setup ## a million broken inputs (FUZZ_ARGS="--examples 20000"); the result is docs/fuzzing.md
	$(BIN)/python -m bench.fuzz $(FUZZ_ARGS)

chaos: setup ## faults under load on a real broker and stores (SEED=n MINUTES=m CHAOS_ARGS="--store cluster")
	$(BIN)/python -m bench.chaos --seed $(SEED) --minutes $(MINUTES) $(CHAOS_ARGS)

test-compiled: setup ## the tests of the core over the compiled build, in a copy of the checkout (build/compiled)
	$(BIN)/python hatch_build.py build/compiled
	cd build/compiled && $(CURDIR)/$(BIN)/python -m pytest tests/core tests/protocol $(PYTEST_ARGS)

bench: setup ## every line of docs/performance.md's table, with its bound and verdict (40 minutes)
	$(BIN)/python -m bench --whole

bench-quick: setup ## the same with less of everything (5 minutes)
	$(BIN)/python -m bench

guard: setup ## whether an event has become dearer than at the commit of bench/guard.base
	.ci/guard

peers: ## the programs that `make bench` measures beside ours, in .peers (needs Maven and the folder RETARGET_PEERS)
	$(PYTHON) -m venv .peers/venv
	.peers/venv/bin/python -m pip install --quiet --disable-pip-version-check -r bench/common_job/peers.txt
	mvn -q -B -f "$(RETARGET_PEERS)/jvm/kafka-streams/pom.xml" -DoutDir=$(CURDIR)/.peers/ks package
	mvn -q -B -f "$(RETARGET_PEERS)/jvm/flink/pom.xml" -DoutDir=$(CURDIR)/.peers/fl package

demo: setup ## a shop, a broker, a store and the engine on this machine (DEMO_ARGS="--seconds 20")
	$(BIN)/retarget demo $(DEMO_ARGS)

lint: setup ## ruff, with every rule on
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: setup ## mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: setup ## mypy, strict, tests and bench included
	$(BIN)/mypy

contracts: setup ## who may import whom
	$(BIN)/lint-imports

check: lint types contracts test ## all of the above

clean: ## what the tools left behind, the environment included
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
