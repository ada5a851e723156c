# make demo    a dataset from the bundled demo, offline, in a virtual environment made here
# make test    the test suite          make check   style, types, import layers
# make test-trainers   exports in the programs that train on them, in a virtual environment of their own (large)
# make fix     what can be mended by itself
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-trainers check fix clean

demo: .venv/installed
	$(BIN)/ensemble-instruct run --preset demo --out demo-run
	@echo
	@echo "The three models of this demo are simulated: small programs that know the answers to toy tasks and make mistakes."
	@echo "Look at:   demo-run/examples.jsonl                     each row with every candidate, its score, and who won"
	@echo "Then try:  $(BIN)/ensemble-instruct export demo-run --format messages --to demo.jsonl"
	@echo "           $(BIN)/ensemble-instruct view demo-run                 browse it: why is this row here, why was that one dropped"
	@echo "Your own:  $(BIN)/ensemble-instruct init my.yaml       a config for your own model servers; edit it, then"
	@echo "           $(BIN)/ensemble-instruct check my.yaml && $(BIN)/ensemble-instruct run my.yaml --out my-run"

test: .venv/installed-dev
	$(BIN)/python -m pytest

test-trainers: .venv-trainers/installed
	.venv-trainers/bin/python -m pytest tests/trainers/loads.py -W ignore

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-trainers demo-run build dist

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

.venv/installed-dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m compileall -q src
	@touch $@

# axolotl without what it asks for: only its schemas and its readers of datasets are used
.venv-trainers/installed: pyproject.toml
	$(PYTHON) -m venv .venv-trainers
	.venv-trainers/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-trainers/bin/pip install --quiet --disable-pip-version-check --editable '.[trainers]'
	.venv-trainers/bin/pip install --quiet --disable-pip-version-check --no-deps addict axolotl
	@touch $@
