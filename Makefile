.DEFAULT_GOAL := help
BIN := .venv/bin
# holds FOCUS files to the official validator, in an environment of its own in uv's cache
JUDGE := tests/support/focus_judge.py
# uv records whatever index the environment names; the lock must hold pypi.org only
NO_INDEX := env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL
export PYTHONUTF8 := 1
# hundreds of short Python processes run in the tests: without compiled files each would compile its imports again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run demo test e2e check format lock bench accuracy soak clean

help: ## show this help
	@grep -hE '^[a-z0-9]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(BIN)/uv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Cachewise needs Python 3.11 or newer as python3; this is $$(python3 --version 2>&1)."; exit 1; }
	@echo "Setting up .venv; this once it takes about half a minute." >&2
	@python3 -m venv .venv || { echo "python3 cannot make a virtual environment; on Debian: apt-get install python3-venv."; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.9

.venv/.run: pyproject.toml uv.lock | $(BIN)/uv
	@$(BIN)/uv sync -q --frozen --inexact --no-default-groups
	@touch $@

.venv/.dev: pyproject.toml uv.lock $(JUDGE).lock | $(BIN)/uv
	@$(BIN)/uv sync -q --frozen --inexact --group dev
	@$(BIN)/uv sync -q --frozen --script $(JUDGE) || echo "No environment for $(JUDGE): its test will be skipped."
	@touch $@ .venv/.run

run: .venv/.run ## start the dashboard and the collector (PORT=8501; with nothing configured: the demo fleet)
	@$(BIN)/python -m cli run $(if $(PORT),--port $(PORT))

demo: .venv/.run ## the same, always with the demo fleet
	@$(BIN)/python -m cli run --demo $(if $(PORT),--port $(PORT))

# browser tests wait more than they work, and the others, which give way to them, fill that time; but in processes of
# their own, as Playwright's loop stays in the thread it was started in. Three, as many of these wait too, for commands
# that they run
test: .venv/.dev ## run every test (browser tests where Chromium is installed)
	@seen=$$(mktemp); $(BIN)/python -m pytest -q -n 2 tests/e2e >$$seen 2>&1 & browser=$$!; trap 'kill $$browser' INT TERM; \
	nice -n 5 $(BIN)/python -m pytest -q -n 3 --ignore=tests/e2e $(ARGS); rest=$$?; \
	wait $$browser; code=$$?; cat $$seen; rm -f $$seen; exit $$((rest ? rest : code))

e2e: .venv/.dev ## run the browser tests alone
	@$(BIN)/python -m pytest -q -n 2 tests/e2e $(ARGS)

check: .venv/.dev ## format, lint, types, import rules, lock
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/mypy && $(BIN)/lint-imports --no-logo
	@$(NO_INDEX) $(BIN)/uv lock --check && $(NO_INDEX) $(BIN)/uv lock --check --script $(JUDGE)
	@$(BIN)/python -m pytest -q tests/house

format: .venv/.dev ## format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: $(BIN)/uv ## resolve the dependencies again
	@$(NO_INDEX) $(BIN)/uv lock $(ARGS)
	@$(NO_INDEX) $(BIN)/uv lock $(ARGS) --script $(JUDGE)

bench: .venv/.dev ## measure: ingest, page queries, bulk pricing (minutes)
	@for script in $(filter-out %accuracy.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

soak: .venv/.dev ## hold the collector to the truth for an hour: 500 fault schedules, 50 kills (SOAK="--schedules 20")
	@$(BIN)/python -m tests.support.soak $(SOAK)

accuracy: .venv/.dev ## hold misses and TTL Lab to fleets whose causes are known (half an hour), into docs/accuracy.md
	@$(BIN)/python benchmarks/accuracy.py --seeds 147-166 --traffic 0.4 --jobs 2 --out docs/accuracy.md

clean: ## remove the virtual environment and caches, keep data/
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
