# Every task of the project. `make` or `make help` lists them.
# Needs Python 3.11 or newer; Node, PostgreSQL, Redis and a browser are used by some tests when they are there.
.POSIX:
SHELL = /bin/sh

PY = .venv/bin/python
# conformance: the running suite's address and the plan's name (see tests/conformance/README.md)
SUITE = https://suite.test:8443
PLAN = basic

.PHONY: help run env test test-quick lint types architecture format check faults bench bench-peers conformance lock docs translations clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | awk -F '\t' '{ printf "  make %-13s %s\n", $$1, $$2 }'

run: ## serve on http://localhost:8000 (PORT=… and IDP_DATA_DIR=… start a second, separate instance)
	@bin/run

env: ## a .env with random secrets and a certificate for localhost, for a trial with docker compose
	@if [ -e .env ]; then echo ".env exists; nothing done." >&2; else (umask 077; python3 deploy/make_env.py >.env); fi
	@deploy/make_certificate.sh

test: ## every test: on SQLite, then on PostgreSQL + Redis where they are installed
	@bin/test

test-quick: ## the tests without browser and without PostgreSQL
	@bin/setup dev
	@$(PY) -m pytest -n auto --dist loadscope -m "not chromium and not slow"

lint: ## ruff, template lint, shell syntax, migrations and deployment checks
	@bin/setup dev
	@bin/lint

types: ## mypy (strict where idp/ARCHITECTURE.md says so)
	@bin/setup dev
	@$(PY) -m mypy

architecture: ## the floors and rooms: who may import whom
	@bin/setup dev
	@.venv/bin/lint-imports

check: lint types architecture test ## everything that must be green before a change lands

format: ## rewrite the Python files in the house style
	@bin/setup dev
	@$(PY) -m ruff check --fix --quiet . && $(PY) -m ruff format .

faults: ## the long run of the fault harness: random kills, races, dead servers (docs/reliability.md; ARGS="storm --seed 7")
	@bin/setup dev
	@$(PY) -m tests.faults.long $(ARGS)

bench: ## requests/s, latency and CPU of every endpoint, next to a trivial view (docs/performance.md; ARGS="--only userinfo")
	@bin/setup dev
	@$(PY) tests/bench/run.py $(ARGS)

bench-peers: ## the same next to node-oidc-provider (needs Node.js), a plain django-oauth-toolkit, and Hydra (KAIROS_HYDRA=/path)
	@bin/setup dev
	@$(PY) tests/bench/run.py --peers $(ARGS)

conformance: ## drive a running OpenID conformance suite: make conformance SUITE=https://… PLAN=…
	@bin/setup dev
	@$(PY) tests/conformance/run.py --suite "$(SUITE)" --plan "$(PLAN)"

lock: ## recompile requirements/*.txt from pyproject.toml (UPGRADE=--upgrade takes newer versions)
	@bin/lock $(UPGRADE)

translations: ## bring new texts into idp/locale/*/LC_MESSAGES/django.po and compile them; says what is left to translate
	@bin/setup dev
	@$(PY) -m tests.support.translations

docs: ## regenerate the generated pages of docs/
	@bin/setup dev
	@bin/docs

clean: ## remove what builds and tests left (not the data of `make run`, not .venv)
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .setup-lock
	@find . -name __pycache__ -type d -not -path './.venv/*' -not -path '*/node_modules/*' -prune -exec rm -rf {} +
