# Each target works alone on a fresh clone: it makes what it needs in .venv.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test bench lint clean

demo: $(VENV)/.installed
	$(VENV)/bin/backlit demo

test: $(VENV)/.test
	$(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

bench: $(VENV)/.bench
	$(VENV)/bin/python -m pytest benchmarks -o addopts=""

lint: $(VENV)/.dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info backlit-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "backlit needs Python 3.11 or newer on the PATH" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

# A CPU build of PyTorch where pip finds one; set TORCH to choose another.
TORCH ?= torch==2.13.0
$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(PIP) '$(TORCH)'
	$(PIP) --editable '.[bench]'
	@touch $@ $(VENV)/.installed
