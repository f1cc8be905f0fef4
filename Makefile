# make run    set up, show the whole journey of a message, then serve on loopback until ^C
# make test   set up, install the peers that the tests talk to, pass every test
# make check  format, lint, types, import layers, generated files
# make bench  Postroad beside Postfix and Haraka, into docs/benchmarks.md (ARGS="--quick" for a short one)
SHELL := /bin/sh
PY := .venv/bin/python
STAMP := .venv/.installed

.PHONY: run test check bench setup peers format reference clean

run: setup
	$(PY) -m postroad demo
	sh tools/serve.sh

test: setup peers
	$(PY) -m pytest -q -n 2 --dist loadfile

check: setup
	.venv/bin/ruff format --check src tests benchmarks tools
	.venv/bin/ruff check src tests benchmarks tools
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m postroad manual --check docs/reference.md

bench:
	sh tools/bench.sh $(ARGS)

format: setup
	.venv/bin/ruff format src tests benchmarks tools
	.venv/bin/ruff check --fix src tests benchmarks tools

reference: setup
	$(PY) -m postroad manual --write docs/reference.md

setup: $(STAMP)

$(STAMP): pyproject.toml tools/setup.sh
	sh tools/setup.sh
	touch $(STAMP)

peers:
	sh tools/peers.sh

clean:
	rm -rf .venv run
