# One command for everything; each works on a fresh machine with Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

# Most tests wait more than they compute, so more workers run than there are cores; an idle worker takes tests from a busy
# one. Bytecode is kept, or each worker would compile all tests again.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 4 --dist worksteal

.PHONY: help demo test test-fast test-long image image-test lint format lock wheel docs bench bench-quick bench-growth clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: $(VENV)/.demo ## see a real sync happen: simulated cloud, own PostgreSQL, the real job
	$(BIN)/image-sync demo

test: $(VENV)/.dev ## run all tests except the long ones (they start their own PostgreSQL servers)
	$(PYTEST) -m "not long and not image"

test-fast: $(VENV)/.dev ## run the tests that need no server and start no process, in less than a minute
	$(PYTEST) -m fast

test-long: $(VENV)/.dev ## run long walks, soaks, kills, real services and, as root, the image's tests (half an hour at most)
	$(PYTEST) -m long
	PYTHON=$(BIN)/python .ci/image

image: ## build the container image with docker; set BASE=..., TAG=..., SOURCE=... as you need
	docker build --tag $(or $(TAG),image-sync:latest) $(if $(BASE),--build-arg BASE=$(BASE)) \
		--build-arg VERSION=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' sync/__init__.py) \
		--build-arg REVISION=$$(git rev-parse HEAD) --build-arg SOURCE=$(or $(SOURCE),unknown) .

image-test: $(VENV)/.dev ## build the container image without an engine and try it (as root on Debian; some minutes)
	PYTHON=$(BIN)/python .ci/image

lint: $(VENV)/.dev ## check style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.dev ## regenerate the pages that are written from the code
	$(BIN)/python docs/make_settings_page.py
	$(BIN)/python docs/make_database_page.py
	$(BIN)/python docs/make_checks_page.py

lock: $(VENV)/.dev ## lock the dependencies again, by hash and without addresses
	$(LOCK) pyproject.toml -o requirements/core.txt
	$(LOCK) pyproject.toml --extra local --extra demo -o requirements/local.txt
	$(LOCK) pyproject.toml --extra local --extra demo --group dev -o requirements/dev.txt
	printf 'keystone==30.0.0\nglance==33.0.0\nwaitress>=3,<4\n' | $(LOCK) - -o requirements/openstack.txt
	printf 'dlt[postgres]>=1.31,<2\nhttpx>=0.28,<0.29\n' | $(LOCK) - -o requirements/bench.txt
	printf 'hatchling\neditables\n' | $(LOCK) - -c requirements/dev.txt -o requirements/build.txt

wheel: $(VENV)/.demo ## build the wheel into dist/
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

bench: $(VENV)/.dev $(BENCH)/.made ## measure side by side with other tools, and write docs/performance.md (half an hour)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.report build/benchmarks.json $(if $(wildcard build/growth.json),--growth build/growth.json)

bench-quick: $(VENV)/.dev ## a short measurement, in a minute or two
	$(BIN)/python -m benchmarks --quick --json build/quick.json

bench-growth: $(VENV)/.dev ## measure how the cost grows over 200 syncs
	$(BIN)/python -m benchmarks.growth

clean: ## remove what was built
	rm -rf $(VENV) $(BENCH) dist build

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; choose one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(BENCH)/.made: $(VENV)/.made requirements/bench.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/bench.txt
	@touch $@

$(VENV)/.demo: $(VENV)/.made requirements/local.txt requirements/build.txt pyproject.toml
	$(PIP) install --require-hashes -r requirements/local.txt -r requirements/build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
