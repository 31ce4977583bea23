# Everything here works on a fresh clone with Python 3.11 or later and nothing else installed.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench sweep messages lock clean runtime dev

PORT ?= 8000
# One more than there are cores, since tests wait for browsers and for processes of their own.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
BIN := .venv/bin
TESTS ?= tests
RUNS ?= 10000
# What the README tells a newcomer to type is what gets run here.
README_TEST := $(shell sed -n 's/^ *\(make test\)\b.*/\1/p' README.md | head -n 1)

help: ## Say what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

demo: runtime ## The whole marketplace in a browser, with people to sign in as (PORT=8000)
	@exec $(BIN)/marketplace demo --port $(PORT)

test: dev ## Run the tests (TESTS=tests/ledger for some of them)
	@scripts/run-tests $(BIN)/pytest -n $(JOBS) --dist worksteal $(TESTS)

check: dev ## All that must hold before a change lands: what .ci/run runs
	@echo "Formatting, lint, types, layers, templates, locks"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/djlint --lint --quiet templates
	@! grep -n '://' requirements/*.lock || { echo "A lock file names an address; run make lock."; exit 1; }
	@test -n "$(README_TEST)" || { echo "README.md does not say how to run the tests."; exit 1; }
	@echo "README: $(README_TEST)"
	@$(README_TEST)

bench: dev ## Print the tables of what takes how long
	@$(BIN)/python -m tests.bench

sweep: dev ## The long search for counter-examples (hours; RUNS=10000 SEED=… for the runs with faults)
	@$(BIN)/marketplace faults --systematic --jobs 2
	@$(BIN)/marketplace faults --runs $(RUNS) --seed "$(SEED)" --jobs 2
	@$(BIN)/pytest -n $(JOBS) -p tests.sweep --hypothesis-profile sweep -m "not browser" $(TESTS)

messages: dev ## Collect every sentence for the translators
	@mkdir -p marketplace/translations
	@scripts/collect-messages $(BIN) marketplace/translations/messages.pot
	@for folder in marketplace/translations/*/; do test -d "$$folder" || continue; \
		$(BIN)/pybabel --quiet update --no-wrap --ignore-obsolete -i marketplace/translations/messages.pot \
			-d marketplace/translations -l "$$(basename $$folder)"; done
	@$(BIN)/pybabel --quiet compile --directory marketplace/translations

lock: dev ## Bring the lock files up to pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		pyproject.toml --group build --output-file requirements/runtime.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		pyproject.toml --group dev --output-file requirements/dev.lock

clean: ## Remove the environment, the caches and the demo's data
	@scripts/clean

runtime dev:
	@python=$$(scripts/find-python) && exec "$$python" scripts/bootstrap.py $@
