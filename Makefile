# `make demo` shows what samepose does; `make test` is what must pass before a change lands.
# PYTHON picks the interpreter (3.11 or newer) that .venv is made from; DATA is the folder that `make eval` measures on.
PYTHON ?= python3
DATA ?= $(SAMEPOSE_SHARED:%=%/data)

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
LIGHT := .venv/.light
FULL := .venv/.full

.DELETE_ON_ERROR:
.PHONY: demo test docs bench eval clean

demo: $(LIGHT)
	$(BIN)/samepose demo

# The page is tested in the system's Chromium, which this installs where it may.
test: $(FULL)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium >/dev/null; } \
	  || echo "THE PAGE IS NOT TESTED: there is no chromium and it cannot be installed here (apt install chromium)" >&2
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --hypothesis-profile=ci

# The whole of the command line's help takes the training extra; a warning, such as a link to nowhere, is an error.
docs: $(FULL)
	$(BIN)/python -m sphinx -b html -E -q -W --keep-going docs docs/_build
	@echo "docs/_build/index.html"

# Those that need data say which (exit code 2) and are left out.
bench: $(FULL)
	set -e; for name in $(patsubst %.py,%,$(notdir $(wildcard benchmarks/[a-z]*.py))); do echo "== $$name"; \
	  $(BIN)/python -m benchmarks.$$name || { test $$? = 2 && echo "left out: name its data, see above" >&2; }; done

eval: $(FULL)
	@test -n "$(DATA)" || { echo "make eval: name the data to measure on, e.g. make eval DATA=path/to/mocap"; exit 2; }
	$(BIN)/samepose eval retrieval --data "$(DATA)"

clean:
	rm -rf .venv .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist samepose-demo docs/_build docs/reference docs/results

# The stamps are newer than what they were made from, so a second `make` installs nothing.
$(BIN)/python:
	$(PYTHON) -m venv .venv

$(LIGHT): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	touch $@

$(FULL): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test,eval,train,docs]'
	$(PIP) --no-deps anny==0.6.2
	touch $(LIGHT) $@
