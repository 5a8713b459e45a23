# Two commands do everything on a machine with Python 3.11+, make and the package registries:
#   make demo    synthetic records in, one report out
#   make test    every check that has to hold
# `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url
export UV_PYTHON_DOWNLOADS := never
# Two test workers on two cores: threads of the linear algebra would only wait for each other.
export OPENBLAS_NUM_THREADS ?= 1
# Files stay whole, so that what a file sets up is set up once; tests/conftest.py says which come first.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick lint spark bench simulation docs notebook lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  \1\t\2/' | expand -t 14

setup: $(STAMP)  ## make .venv with everything

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q outcomes
	@touch $(STAMP)

demo: setup  ## synthetic records, the whole study, one report
	$(BIN)/outcomes demo --out reports/demo

lint: setup  ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## everything that has to hold
	$(BIN)/python -m pytest $(WORKERS)

quick: lint  ## the fast part, under a minute
	$(BIN)/python -m pytest $(WORKERS) -m "not slow and not browser" \
	  tests/architecture tests/unit tests/parity

spark: setup  ## statements on Spark as well: needs Java
	@command -v java >/dev/null || test -n "$$JAVA_HOME" || { echo "Spark needs a Java runtime."; exit 2; }
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-spark.lock || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r requirements-spark.lock
	$(BIN)/python -m pytest tests/spec/test_portable_sql.py

bench: setup  ## ratios against a bare scan and named peers
	$(BIN)/python -m benchmarks.study
	$(BIN)/python -m benchmarks.mmrm

simulation: setup  ## coverage of the planted truth, and the level of the tests
	$(BIN)/python -m tests.simulation.coverage --studies 400 --episodes 5000
	$(BIN)/python -m tests.simulation.inference --studies 2000
	$(BIN)/python -m tests.simulation.standardisation --studies 1000

docs: setup  ## write the generated reference pages
	$(BIN)/python -m docs.generate

notebook: setup  ## open the worked example
	$(BIN)/jupytext --to ipynb --output - analyses/back-pain/back-pain.md > analyses/back-pain/back-pain.ipynb
	$(BIN)/jupyter lab analyses/back-pain/back-pain.ipynb

lock: setup  ## resolve requirements.lock and requirements-spark.lock again
	printf 'duckdb<2\n' > $(VENV)/constraints.txt
	$(COMPILE) --extra reliability --group dev --constraint $(VENV)/constraints.txt \
	  --output-file requirements.lock
	$(COMPILE) --extra spark --constraint requirements.lock --output-file requirements-spark.lock

clean:  ## remove what was built
	rm -rf $(VENV) reports/demo build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
