# The two commands of the README are `make demo` and `make test`. Each sets up what it needs on a bare machine.
.PHONY: demo up test test-long check bench docs clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

demo: ## Set everything up and run the main job. ONCE=1 ends after the last step and leaves nothing running.
	@scripts/install demo
	@$(BIN)/flyball demo $(if $(ONCE),--once) $(if $(DATA),--data $(DATA)) $(if $(PORT),--port $(PORT))

up: ## Start flyball on the data directory .flyball.
	@scripts/install server
	@$(BIN)/flyball up

test: ## Install what tests need and run the suite (under 15 minutes on 2 cores).
	@scripts/install dev
	@scripts/test

test-long: ## The long ones: kill -9 loops, simulations, soak.
	@scripts/install dev
	@$(BIN)/pytest -m long

check: ## Lint, types, floors, budgets.
	@scripts/install dev
	@scripts/check

bench: ## Measure and print ratios.
	@scripts/install dev
	@scripts/bench

docs: ## Regenerate the generated pages of docs/.
	@scripts/install dev
	@$(BIN)/python scripts/docs.py

clean: ## Remove what the build made; never touches a data directory.
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
