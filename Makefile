# Needs Python >= 3.11 and make. Everything else is installed into .venv from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Without its bytecode each process that a test or a demo starts compiles all of Prefect anew: 10 s.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo demo-stop test quick check format settings lock reliability soak fuzz lookup quality bench clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(READY)  ## Make .venv from the lock

$(READY): requirements.lock pyproject.toml
	@echo "Making $(VENV) from requirements.lock (about a minute the first time) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nightshelf needs Python >= 3.11; run: make PYTHON=/path/to/python3.11 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## One night on the sample shop: log, Redis, flow, report, lists
	@$(BIN)/python -m data.demo

demo-stop: $(READY)  ## Stop the demo's Redis server
	@$(BIN)/python -m data.demo --stop

test: $(READY)  ## Run every test against real servers that the tests start
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

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

reliability: $(READY)  ## Inject faults, and write the results into docs/reliability.md
	@$(BIN)/python -m pytest tests/faults --write-reliability docs/reliability.md

soak: $(READY)  ## Soak test for MINUTES=10 with failing Redis and publishers; figures into docs/reliability.md
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10) --write docs/reliability.md

fuzz: $(READY)  ## 100,000 hostile requests and calls to the service and the client
	@$(BIN)/python -m tests.fuzz

lookup: $(READY)  ## Load the client and the service, and write the figures into docs/lookup.md
	@$(BIN)/python -m benchmarks._lookup_page

quality: $(READY)  ## Evaluate models and rules on the logs at hand, and write the tables of docs/quality.md
	@$(BIN)/python -m benchmarks._quality_page

bench: $(READY)  ## Run every benchmark; each prints a ratio last
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python -m benchmarks.$$(basename $$file .py) || exit 1; done

lock:  ## Resolve requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --upgrade --quiet --output-file requirements.lock

clean:  ## Remove the virtual environment and what demo and runs made
	rm -rf $(VENV) .nightshelf runs
