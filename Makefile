# What a person types. Everything is set up on first use and again when a lock changes.
.DEFAULT_GOAL := help
.PHONY: help run test demo lint check quality bench bench-quick format lock clean
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
# begun first, so that no other process waits for their end
LONGEST := $(patsubst %,tests/flow/test_%.py,cluster sweep screens page dag real_input)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header

help: ## list these
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

.venv/.ready: requirements-dev.lock requirements-bootstrap.lock pyproject.toml scripts/setup.sh
	@PYTHON='$(PYTHON)' scripts/setup.sh

run: .venv/.ready ## start Airflow and poll the feeds; Ctrl-C stops everything
	@$(BIN)/python -m scripts.run

test: .venv/.ready ## run all tests
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(LONGEST) tests

demo: .venv/.ready ## show the whole path on a small news site of our own, off line
	@$(BIN)/python -m demo

lint: .venv/.ready ## format, style, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## lint and test

quality: .venv/.ready ## measure extraction, topic and copies on real data; writes docs/quality.md
	@$(BIN)/python -m tests.quality

bench: .venv/.ready ## measure speed and growth beside others, half an hour; writes docs/performance.md
	@$(BIN)/python -m benchmarks

bench-quick: .venv/.ready ## the same in three minutes, on less; writes nothing
	@$(BIN)/python -m benchmarks --quick

format: .venv/.ready ## put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/.ready ## renew the locks; ARGS=--upgrade takes newer releases
	printf 'uv\nsetuptools>=77\n' | $(LOCK) --no-annotate $(ARGS) - -o requirements-bootstrap.lock
	$(LOCK) $(ARGS) pyproject.toml -o requirements.lock
	$(LOCK) --extra dev --constraints requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove what set-up and tests made; the corpus and ./state stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
