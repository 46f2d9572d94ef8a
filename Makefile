# The commands of a developer; .ci/run calls `make check`. pip's settings (index, proxy) come from the environment alone.
#
#   make setup    the development environment in .venv
#   make serve    a stand-in control plane; options: make serve ARGS="--port 9000"; it keeps its state, ARGS=--fresh starts anew
#   make test     the tests of the inner loop, in parallel; test-all: their repetitions on every transport, dialect and server, too
#   make check    all that CI demands
#   make workflows  actionlint on .github/workflows
#   make verify   flyteapps verify on servers of each kind; verify-all: every combination
#   make test-interop  the clients of docs/interop.md: Node, Go, curl; our client's logins at a certified OIDC server
#   make wheels   whether every extra has wheels for every platform and Python
#   make lowest   the tests with the lowest versions that are allowed; canary: with the newest flyte, flyteidl2, connectrpc
#   make soak     an hour of mixed load with clients that vanish; SOAK=60 for a minute, SOAK="60 auto 1 flyte-oss" of that dialect
#   make crowd    10,000 watchers and 50 writers for 30 s, then clients that vanish and streams that are reset; CROWD="5 all 1000" for fewer
#   make kills    kill -9 of a server that keeps its state, a hundred times under load, on each server; KILLS="3 all 500" for fewer
#   make fuzz     a million random requests, and expensive ones against their budget; FUZZ=10000 for fewer
#   make mutants  every planted bug against the suite, SHARD=1/4, ROTATING=8 or ONLY=ID of them (ONLY records it); mutants-report: what came of it
#   make bench    the benchmarks; bench-load: rates, by load generators that it builds
#   make bench-against BASE=commit  this checkout against another commit, alternating in one run
#   make console  builds the console's page into the Python package, by Node; console-check: the committed build is current
#   make test-console  the console in Chromium, end to end; console-screenshots: those of the docs, by the same tests
#   make protos   writes protos/outline.json from the installed flyteidl2, and the modules of protos/flyteapps_control
#   make docs     writes the generated parts of docs/
#   make site     builds the docs site into site/, strictly
#
# PYTHON=/path/to/python3.12 chooses the Python, with an environment of its own (.venv-python3.12); VENV=dir chooses that.

PYTHON ?=
VENV ?= .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
PYTEST_ARGS ?=
ARGS ?=
export PYTHON
# Bytecode is written, also where a container's image says no: else each process compiles every module anew.
export PYTHONDONTWRITEBYTECODE =

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt --build-constraint constraints.txt
PINS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup serve test test-all check lint types imports bare realtime verify verify-all test-interop interop-tools wheels lowest canary soak crowd kills fuzz mutants mutants-report mutants-scripts bench bench-load bench-against bench-smoke protos protos-check console console-check test-console console-screenshots docs docs-check site workflows clean

help:
	@sed -n 's/^#   make/  make/p' Makefile

# One environment, three stamps: serving needs neither the tests' packages nor the checkers.
$(VENV)/.stamp-python: constraints.txt scripts/venv.sh
	@sh scripts/venv.sh $(VENV)
	@touch $@

$(VENV)/.stamp-serve: $(VENV)/.stamp-python $(PINS)
	@echo "Installing what serving needs"
	@$(PIP) -e '.[serve,run]'
	@sh scripts/install_fast.sh $(VENV)
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-serve
	@echo "Installing what the tests need"
	@$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.stamp-site: $(VENV)/.stamp-test
	@echo "Installing what the docs site needs"
	@$(PIP) -e '.[site]'
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-test
	@echo "Installing what the checks need"
	@$(PIP) -e '.[dev]'
	@touch $@

# protoc in a folder of its own: it demands an older protobuf than the one that is installed.
$(VENV)/.stamp-protoc: $(VENV)/.stamp-serve
	@$(PIP) --no-deps --upgrade --target $(VENV)/protoc grpcio-tools
	@touch $@

setup: $(VENV)/.stamp-dev $(VENV)/.stamp-site

serve: $(VENV)/.stamp-serve
	@$(BIN)/flyteapps serve --state user $(ARGS)

test: $(VENV)/.stamp-test
	@$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

test-all: export FLYTEAPPS_MATRIX = all
test-all: test

check: $(VENV)/.stamp-dev $(VENV)/.stamp-site
	@sh scripts/check.sh $(MAKE)

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.stamp-dev
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/mypy --config-file tests/client/mypy.ini tests/client/typed_sample.py

imports: $(VENV)/.stamp-dev
	$(BIN)/lint-imports --no-cache

# A plain install, from a wheel: the client works, typed, and the command says which extra is missing.
bare: $(VENV)/.stamp-dev
	@sh scripts/bare_install.sh $(VENV)

# The flows of the SDK and CLI, a second time on the wall clock.
realtime: $(VENV)/.stamp-test
	@FLYTEAPPS_MATRIX="$${FLYTEAPPS_MATRIX:-1/12}" FLYTEAPPS_TEST_CLOCK=realtime $(BIN)/python -m pytest -n auto -q tests/sdk

verify: $(VENV)/.stamp-test
	@PYTHONPATH=tests $(BIN)/python -m contract.verify_served

verify-all: $(VENV)/.stamp-test
	@PYTHONPATH=tests $(BIN)/python -m contract.verify_served --all

# Clients of other projects: Node's and Go's, brought into .interop by the machine's own Node and Go or the registry's.
test-interop: interop-tools
	@PYTHONPATH=tests $(BIN)/python -m interop.run .interop
	@PYTHONPATH=tests $(BIN)/python -m interop.logins .interop

interop-tools: $(VENV)/.stamp-test
	@sh scripts/interop_tools.sh $(VENV) .interop

# Whether every extra can be installed from wheels, on each platform and Python that we name.
wheels: $(VENV)/.stamp-dev
	@sh scripts/wheels.sh $(VENV)

LOWEST_TESTS ?= tests/client tests/plane tests/serving
lowest: $(VENV)/.stamp-dev
	@sh scripts/with_versions.sh $(VENV) lowest $(LOWEST_TESTS)

# What comes next upstream: to be seen, and to stop nothing.
CANARY ?= flyte,flyteidl2 connectrpc
CANARY_TESTS ?= tests/client tests/serving tests/sdk
canary: $(VENV)/.stamp-dev
	@status=0; for each in $(CANARY); do \
		sh scripts/with_versions.sh $(VENV) "$$each" $(CANARY_TESTS) || status=1; \
	done; exit $$status

SOAK ?= 3600
soak: $(VENV)/.stamp-test
	@PYTHONPATH=tests $(BIN)/python -m soak.soak $(SOAK)

CROWD ?= 30
crowd: $(VENV)/.stamp-test
	@PYTHONPATH=tests $(BIN)/python -m soak.crowd $(CROWD)

KILLS ?= 100
kills: $(VENV)/.stamp-test
	@PYTHONPATH=tests $(BIN)/python -m soak.killed $(KILLS)

FUZZ ?= 1000000
fuzz: $(VENV)/.stamp-test
	@FLYTEAPPS_MATRIX=all FLYTEAPPS_FUZZ=$(FUZZ) FLYTEAPPS_BUDGET=60 $(BIN)/python -m pytest -q -n 2 --timeout 36000 \
		tests/serving/test_random_requests.py tests/serving/test_random_calls.py tests/serving/test_budget.py

# An hour: may be stopped and begun again, run in shards, and on several machines (their .mutants/ put together).
SHARD ?= 1/1
ROTATING ?=
ONLY ?=
mutants: $(VENV)/.stamp-test
	@PYTHONPATH=tests $(BIN)/python -m mutants.run $(if $(ONLY),--only $(ONLY),$(if $(ROTATING),--rotating $(ROTATING),--shard $(SHARD)))
	@$(if $(ONLY),$(BIN)/python scripts/docs/generate_mutants.py)

mutants-report: $(VENV)/.stamp-test
	@PYTHONPATH=tests $(BIN)/python -m mutants.run --write
	@$(BIN)/python scripts/docs/generate_mutants.py

# The scripts that the suite prints for ten planted bugs, each run on the plane with the bug and on the one without.
mutants-scripts: $(VENV)/.stamp-test
	@PYTHONPATH=tests $(BIN)/python -m mutants.scripts

# Rates, by load generators of other projects, which it builds.
bench-load: $(VENV)/.stamp-test
	@sh scripts/go_install.sh $(VENV) .interop github.com/bojand/ghz/cmd/ghz@v0.120.0
	@sh scripts/go_install.sh $(VENV) .interop github.com/codesenberg/bombardier@v1.2.6
	@$(BIN)/python tests/benchmarks/load.py .interop/bin

bench: $(VENV)/.stamp-test
	@for each in tests/benchmarks/bench_*.py; do PYTHONPATH=tests $(BIN)/python "$$each" || exit 1; done

# The other commit gets a checkout and an environment of its own, in .base.
BASE ?= HEAD~1
bench-against: $(VENV)/.stamp-test
	@sh scripts/base_checkout.sh "$(BASE)" .base && $(MAKE) -C .base VENV=.venv .venv/.stamp-test
	@PYTHONPATH=tests $(BIN)/python tests/benchmarks/against.py "$(CURDIR)/.base/.venv/bin/python" $(ARGS)

bench-smoke: $(VENV)/.stamp-test
	@for each in tests/benchmarks/bench_*.py; do PYTHONPATH=tests $(BIN)/python "$$each" --smoke || exit 1; done

protos: $(VENV)/.stamp-protoc
	@$(BIN)/python protos/outline.py
	@$(BIN)/python protos/generate.py $(VENV)/protoc

protos-check: $(VENV)/.stamp-protoc
	@$(BIN)/python protos/outline.py --check
	@$(BIN)/python protos/generate.py $(VENV)/protoc --check

# The console in the browser: Node is needed here, not by users. The environment has the messages that it speaks.
CONSOLE := fake_server/console
$(VENV)/.stamp-console: $(VENV)/.stamp-test $(CONSOLE)/package.json $(CONSOLE)/package-lock.json
	@sh scripts/console.sh $(VENV) install
	@touch $@

console: $(VENV)/.stamp-console
	@sh scripts/console.sh $(VENV) build

console-check: $(VENV)/.stamp-console
	@sh scripts/console.sh $(VENV) check

# The tests in a browser: in the machine's Chromium, or Debian's package; axe-core is for them alone.
$(VENV)/.stamp-browser: $(VENV)/.stamp-test scripts/browser.sh tests/console/package.json
	@$(PIP) playwright
	@sh scripts/browser.sh $(VENV) .browser
	@touch $@

test-console: $(VENV)/.stamp-browser
	@$(BIN)/python -m pytest -q -m browser -n 3 --dist worksteal $(PYTEST_ARGS) tests/console

console-screenshots: $(VENV)/.stamp-browser
	@FLYTEAPPS_SCREENSHOTS=docs/images $(BIN)/python -m pytest -q -m browser -n 2 $(PYTEST_ARGS) tests/console/test_pages.py

docs: $(VENV)/.stamp-test
	@for each in scripts/docs/generate_*.py; do PYTHONPATH=tests $(BIN)/python "$$each" || exit 1; done

docs-check: $(VENV)/.stamp-test
	@for each in scripts/docs/generate_*.py; do PYTHONPATH=tests $(BIN)/python "$$each" --check || exit 1; done

# Warnings are errors. The site is searched and drawn in the reader's browser; nothing of it runs on a server.
site: $(VENV)/.stamp-site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# The workflows of .github, by actionlint, which it builds.
workflows: $(VENV)/.stamp-test
	@sh scripts/go_install.sh $(VENV) .interop github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
	@.interop/bin/actionlint

clean:
	rm -rf $(VENV) .venv-lowest .venv-newest .browser .interop .base .pytest_cache .ruff_cache dist build site
