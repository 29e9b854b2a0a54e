# `make` alone says what there is. Everything lives in .venv/ and data/; nothing outside this folder is changed.

.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
INSTALL := $(PY) requirements/install.py
EXPORT := $(VENV)/bin/uv export --quiet --frozen --no-emit-project --no-header --no-annotate

# Many tests wait for a process to start or a clock to run out: three at once fit two processors.
TESTS_AT_ONCE := 3

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PYTHONUNBUFFERED := 1
# Where nothing compiled is kept, a start takes thrice as long. Empty is as good as unset.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run demo test chaos cluster lint types e2e bench lock venv

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 16

run: venv ## installs, prepares and starts the gateway; prints what to open
	@$(INSTALL) run
	@exec $(PY) -m gateway.reload manage.py serve --quickstart --reload

demo: venv ## the gateway with made-up conversations that go on, in data/demo/; prints what to open
	@$(INSTALL) run
	@exec $(PY) -m demo

test: venv ## every test that this machine can run; names what it skips
	@$(INSTALL) run test
	@$(PY) -m pytest -n $(TESTS_AT_ONCE)

chaos: venv ## tries every promise with its fault; ONLY="G1 G8" chooses, LONG=1 takes its time
	@$(INSTALL) run test
	@$(PY) -m tests.chaos

cluster: venv ## several gateways that are one, behind a proxy, with servers of their own; NODES=3
	@$(INSTALL) run test
	@exec $(PY) -m tests.cluster

lint: venv ## ruff: rules and format
	@$(INSTALL) lint
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check

types: venv ## mypy, strict
	@$(INSTALL) run test bench lint
	@$(VENV)/bin/mypy

e2e: venv ## the browser tests; needs Chromium
	@$(INSTALL) run test e2e
	@$(PY) -m pytest -m browser

bench: venv ## what a message costs, beside two bot libraries; LONG=1, ONLY="webhook peers"
	@$(INSTALL) run test bench
	@$(PY) -m bench

lock: venv ## brings uv.lock and requirements/*.txt in step with pyproject.toml
	@$(INSTALL) lint
	$(VENV)/bin/uv lock
	@$(EXPORT) --no-default-groups -o requirements/run.txt
	@for group in test e2e bench lint; do $(EXPORT) --only-group $$group -o requirements/$$group.txt || exit 1; done

venv:
	@sh requirements/venv.sh $(VENV)
