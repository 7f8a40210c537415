# Two commands do everything: `make run` and `make test`. Both make the environment they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run demo test trial lint types bench bench-dashboard bench-shared docs clean

run: $(VENV)/.run
	$(BIN)/agentgateway start -c gateway.yaml

demo: $(VENV)/.run
	$(BIN)/agentgateway demo

test: lint types trial

trial: $(VENV)/.test
	$(BIN)/python -m twisted.trial --temp-directory=_trial_temp tests

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

bench: $(VENV)/.test
	$(BIN)/python benchmarks/bench.py $(BENCH)

bench-dashboard: $(VENV)/.test
	$(BIN)/python benchmarks/dashboard.py $(BENCH)

bench-shared: $(VENV)/.test
	$(BIN)/python benchmarks/shared.py

docs: $(VENV)/.docs
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build -q -W --keep-going docs build/docs
	@echo "build/docs/index.html"

clean:
	rm -rf $(VENV) _trial_temp* .mypy_cache .ruff_cache .hypothesis build *.egg-info

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.run: $(VENV)/.made setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

$(VENV)/.docs: $(VENV)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@
