# Needs Python >= 3.11 and make. Everything else is installed into .venv, from locks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# What a night and the service need, without the tools of tests, checks and documentation.
RUNS := $(VENV)/.runs
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-deps
RELEASE := .venv-release
# Spark wants an older pandas than the rest: an environment of its own.
SPARK := .venv-spark

# Without its bytecode each process that a test or a demo starts compiles all of Prefect anew: 10 s.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo demo-stop up test test-cluster quick check format settings docs lock reliability soak fuzz properties lookup quality bench clean spark-tools test-spark release-tools release versions licences sbom image-check

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(READY)  ## Make .venv from the lock

$(READY): requirements.lock $(RUNS)
	@echo "Adding what tests, checks and documentation need, from requirements.lock ..."
	@$(PIP) --quiet --no-compile --require-hashes -r requirements.lock
	@touch $@

$(RUNS): deploy/locks/night.lock deploy/locks/build.lock pyproject.toml
	@echo "Making $(VENV) from deploy/locks/ (about a minute the first time) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nightshelf needs Python >= 3.11; run: make PYTHON=/path/to/python3.11 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --no-compile --require-hashes -r deploy/locks/night.lock -r deploy/locks/build.lock
	@$(PIP) --quiet --no-build-isolation --editable .
	@touch $@

demo: $(RUNS)  ## One night on the sample shop: log, Redis, flow, report, lists
	@$(BIN)/python -m data.demo

demo-stop: $(RUNS)  ## Stop the demo's Redis server
	@$(BIN)/python -m data.demo --stop

up: $(READY)  ## The whole system with visitors, until Ctrl-C; DAYS=3 plays three days first
	@$(BIN)/python -m local_system.up $(if $(PORT),--port $(PORT)) $(if $(UI_PORT),--ui-port $(UI_PORT)) $(if $(REDIS_PORT),--redis-port $(REDIS_PORT)) $(if $(DAYS),--days $(DAYS)) $(if $(EXIT),--exit)

test: $(READY)  ## Run the tests, against real servers that they start
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not cluster"

test-cluster: $(READY)  ## Run the tests on a Redis Cluster of three nodes, and on a primary that Sentinel names
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/cluster

quick: check  ## Run the checks and the unit tests of changed packages (under a minute)
	@$(BIN)/python -m tests.quick

check: $(READY)  ## Format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)  ## Format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

settings: $(READY)  ## Write docs/settings.md from the settings' classes
	@$(BIN)/python -m tests.settings_page

docs: $(READY)  ## Build the site of the documentation into build/docs
	@$(BIN)/python -m sphinx -b html -W --keep-going -n -q docs build/docs
	@echo "build/docs/index.html"

reliability: $(READY)  ## Inject faults, and write the results into docs/reliability.md
	@$(BIN)/python -m pytest tests/faults --write-reliability docs/reliability.md

soak: $(READY)  ## Soak test for MINUTES=10 with failing Redis and publishers; figures into docs/reliability.md
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10) --write docs/reliability.md

fuzz: $(READY)  ## 100,000 hostile requests and calls to the service and the client
	@$(BIN)/python -m tests.fuzz

properties: $(READY)  ## Each property with TIMES=10 times the examples of the suite, of new seeds
	@$(BIN)/python -m pytest -p tests.more_examples --times $(or $(TIMES),10) -n 2 --timeout 0 -m "not cluster"

lookup: $(READY)  ## Load the client and the service, and write the figures into docs/lookup.md
	@$(BIN)/python -m benchmarks._lookup_page

quality: $(READY)  ## Evaluate models and rules on the logs at hand, and write the tables of docs/quality.md
	@$(BIN)/python -m benchmarks._quality_page

bench: $(READY)  ## Run every benchmark; each prints a ratio last
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python -m benchmarks.$$(basename $$file .py) || exit 1; done

spark-tools: $(SPARK)/.ready  ## Make .venv-spark: the night on Spark, and its tests (Java 17 beside it)

$(SPARK)/.ready: requirements-spark.lock deploy/locks/build.lock pyproject.toml
	@$(PYTHON) -m venv $(SPARK)
	@$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-spark.lock -r deploy/locks/build.lock
	@$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test-spark: spark-tools  ## Test the night on Spark against the night on one machine
	@$(SPARK)/bin/python -m pytest tests/spark

release-tools: $(RELEASE)/.ready  ## Make .venv-release: checkers of deploy/, licences, bill of materials

$(RELEASE)/.ready: requirements-release.lock
	@$(PYTHON) -m venv $(RELEASE)
	@$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-release.lock
	@touch $@

release: $(READY)  ## Build wheel and sdist into dist/, and install each extra of them in a clean environment
	@$(BIN)/python -m tests.release.packages

versions: $(READY)  ## Test the client and publishing on each Python and each Redis at hand; prints a table
	@$(BIN)/python -m tests.release.versions

licences: $(READY) release-tools  ## List the licences of all that the images hold
	@$(BIN)/python -m tests.release.licences

sbom: $(READY) release-tools  ## Write dist/*.cdx.json: all that the images hold, as CycloneDX
	@$(BIN)/python -m tests.release.sbom

image-check: $(READY)  ## Build deploy/Dockerfile in a clean root without an engine, and run what is in it
	@tests/deploy/image_check.sh

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet
lock:  ## Resolve all locks anew (needs uv)
	$(LOCK) pyproject.toml --extra dev --upgrade --output-file requirements.lock
	$(LOCK) pyproject.toml --extra release --upgrade --output-file requirements-release.lock
	mkdir -p build && sed -n -E '/^pandas/d; /^[a-z0-9].*==/s/ \\$$//p' requirements.lock > build/spark.txt
	$(LOCK) pyproject.toml --extra spark-test --constraint build/spark.txt --output-file requirements-spark.lock
	$(LOCK) pyproject.toml --extra console --constraint requirements.lock --output-file deploy/locks/service.lock
	$(LOCK) pyproject.toml --extra pipeline --extra console --constraint requirements.lock --output-file deploy/locks/night.lock
	$(LOCK) deploy/locks/build.in --constraint requirements.lock --output-file deploy/locks/build.lock

clean:  ## Remove the virtual environments and what demo, runs and releases made
	rm -rf $(VENV) $(RELEASE) $(SPARK) .nightshelf runs dist build
