# Two commands matter: `make demo` and `make test`. Both need git, make and Python >= 3.11 with venv
# and pip, and both work again without the network: see scripts/install.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
ONLY   ?=
# Tests at a time: on two cores, they wait for a good half of it.
WORKERS ?= 4
export PYTHON VENV

PY     := $(VENV)/bin/python
SMOKE  := .cache/smoke
LOCK   := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS)

MANY   := $(wildcard tests/unit/test_ledger_*.py tests/unit/test_pipeline_*.py tests/unit/test_cases_*.py) \
          tests/unit/test_claims.py tests/unit/test_shared_rows.py tests/unit/test_forgetting.py tests/unit/test_suppression.py \
          tests/unit/test_refresh.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test quick install dev lint docs docs-ref tests many browser wheel smoke sbom release deb boot format bench soak lock clean

help:  ## What there is (this)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install  ## The whole thing for real, against emulated vendors on this machine (ARGS="--contacts 200")
	@$(VENV)/bin/syncd demo $(ARGS)

test: lint docs tests smoke  ## Every check: lint, types, import contracts, documentation, tests, the wheel in a clean environment

install:  ## What `syncd` needs to run, into $(VENV)
	@scripts/install runtime

dev:  ## What the checks need too, into $(VENV)
	@scripts/install dev

lint: dev  ## Format, lint, types, import contracts
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

docs: dev  ## The documentation site, in .cache/site; a dead link or anchor fails
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

docs-ref: dev  ## The pages of docs/reference that are written from the code
	$(PY) -m scripts.reference

quick: lint  ## Format, lint, types, and the tests of the units and the contract: for the loop
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -q tests/unit tests/contract

tests: dev  ## The tests (ONLY="tests/unit -k config")
	$(PY) -m pytest -n $(WORKERS) --dist worksteal $(ONLY)

many: dev  ## What is to run on more than one host: ledger and pipeline on PostgreSQL, then several processes at length (ONLY="tests/unit/test_claims.py")
	$(PY) -m pytest -n $(WORKERS) --dist worksteal -q --ledger=postgres $(if $(ONLY),$(ONLY),$(MANY))
	$(if $(ONLY),,SYNCD_MANY=1 $(PY) -m pytest -q -rP tests/many)

browser: dev  ## The pages in a real browser (Debian's chromium), with a million contacts; pictures: PICTURES=docs/pictures
	$(PY) -m pytest -q tests/browser --contacts 1000000 --everywhere $(ARGS)
	$(if $(PICTURES),$(PY) -m tests.browser $(PICTURES))

wheel: dev  ## dist/*.whl
	@rm -rf build dist
	$(PY) -m build --quiet --wheel --no-isolation

smoke: wheel  ## The wheel, installed and started in a clean environment without the network
	@rm -rf $(SMOKE)
	$(PY) -m venv $(SMOKE)
	$(SMOKE)/bin/python -m pip install --quiet --no-index --find-links .cache/wheels --only-binary :all: \
	    --require-hashes -r requirements/runtime.lock
	$(SMOKE)/bin/python -m pip install --quiet --no-index --no-deps dist/*.whl
	cd $(SMOKE) && bin/syncd --help > /dev/null && bin/syncd connectors > /dev/null
	@rm -rf $(SMOKE)
	@echo "the wheel works in a clean environment"

sbom: wheel  ## dist/sbom.json: what a release contains (CycloneDX)
	@rm -rf $(SMOKE)
	$(PY) -m venv --without-pip $(SMOKE)
	$(PY) -m pip --python $(SMOKE) install --quiet --no-index --find-links .cache/wheels --only-binary :all: \
	    --require-hashes -r requirements/runtime.lock
	$(PY) -m pip --python $(SMOKE) install --quiet --no-index --no-deps dist/*.whl
	$(PY) -m cyclonedx_py environment --pyproject pyproject.toml --output-reproducible --of JSON -o dist/sbom.json \
	    $(SMOKE)/bin/python
	@rm -rf $(SMOKE)

release: sbom  ## dist/syncd-VERSION.tar.gz: what deploy/install installs (ARGS=--with-wheels: with all packages)
	@scripts/release $(ARGS)

deb: sbom  ## dist/syncd_VERSION_ARCH.deb, for the Debian whose Python $(VENV) has
	@scripts/release --with-wheels
	@scripts/deb dist/syncd-$$(basename dist/syncd-*.whl | cut -d- -f2) dist

boot: deb  ## A bare Debian in a container, under a real systemd, by the commands of deploy/README.md; needs root
	$(PY) -m tests.boot

format: dev  ## Format, and mend what ruff can mend
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: dev  ## What it costs, each figure beside its bar; 12 minutes (ONLY="bulk idle", JSON=file, ARGS="--rounds 5")
	$(PY) -m benchmarks $(ONLY) $(if $(JSON),--json $(JSON)) $(ARGS)

soak: dev  ## The long reliability tests; report in .cache/soak.json (YEARS=1000 SEED=1 MINUTES=8 ONLY="kills power")
	$(PY) -m tests.soak $(if $(YEARS),--years $(YEARS)) $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(ONLY)

lock: dev  ## New locks from pyproject.toml (ARGS="--upgrade" for newer versions)
	$(LOCK) pyproject.toml -o requirements/runtime.lock
	$(LOCK) --group build -c requirements/runtime.lock -o requirements/build.lock
	$(LOCK) pyproject.toml --group dev -c requirements/runtime.lock -c requirements/build.lock -o requirements/dev.lock
	$(LOCK) pyproject.toml --extra postgres -c requirements/dev.lock -o requirements/postgres.lock

clean:  ## Away with what the commands left, except $(VENV) and the fetched packages
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache $(SMOKE)
