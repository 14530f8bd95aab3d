# make            builds ./rdps and ./rdpr; needs Python 3.11 or newer and nothing else
# make demo       sends a file through an emulated bad network; DEMO_ARGS="--size 2M" passes options on
# make test       runs all tests;                               PYTEST_ARGS="-k name" passes options on
# make streamer-single  puts Streamer as one file, beside its tester, into build/streamer-single
# make mutants    breaks the code in some 180 ways, one at a time, and counts what the tests notice (long);
#                 MUTANTS_ARGS="--only loss" chooses
# make fuzz       2,000 random conversations in virtual time, each checked; FUZZ_ARGS="--seeds 100000 --minimize"
# make matrix     every protocol on every scenario, against the table on record (docs/scenarios.md)
# make lint       linter, format check, types
# make clean      removes what was built; make distclean also removes the venv
#
# PYTHON=python3.12 picks another Python. test and lint make a venv in .venv, the rest needs none.

PYTHON ?= python3
VENV ?= .venv
DEMO_ARGS ?=
PYTEST_ARGS ?=
MUTANTS_ARGS ?=
FUZZ_ARGS ?= --seeds 2000
JOBS ?= 2

EXECUTABLES := rdps rdpr
SINGLE := build/streamer-single
SOURCES := $(shell find src -name '*.py')
# pip writes it last, so an interrupted installation is taken up again
STAMP := $(VENV)/.installed

.PHONY: all demo streamer-single test fuzz matrix mutants lint clean distclean python-is-new-enough

# The work inside one target is what takes the time; in order, even `make -j clean all` is right.
.NOTPARALLEL:
.DELETE_ON_ERROR:

all: $(EXECUTABLES)

$(EXECUTABLES): $(SOURCES) scripts/build_executables.py | python-is-new-enough
	"$(PYTHON)" scripts/build_executables.py --interpreter "$(PYTHON)" $@

demo: all
	PYTHONPATH=src "$(PYTHON)" -m surewire.apps.demo $(DEMO_ARGS)

streamer-single: $(SINGLE)/streamer.py
	cp streamer/lossy_socket.py streamer/test.py "$(SINGLE)"

$(SINGLE)/streamer.py: $(SOURCES) streamer/streamer.py $(wildcard scripts/bundle_*.py) | python-is-new-enough
	"$(PYTHON)" -m scripts.bundle_streamer -o $@

test: all $(STAMP)
	"$(VENV)/bin/python" -m pytest -n $(JOBS) $(PYTEST_ARGS)

fuzz: $(STAMP)
	"$(VENV)/bin/python" -m surewire.apps.cli sim fuzz --jobs $(JOBS) $(FUZZ_ARGS)

matrix: $(STAMP)
	"$(VENV)/bin/python" -m surewire.apps.cli sim matrix --jobs $(JOBS) --check docs/scenarios.md

mutants: $(STAMP)
	"$(VENV)/bin/python" -m scripts.mutants --jobs $(JOBS) $(MUTANTS_ARGS)

lint: $(STAMP)
	"$(VENV)/bin/python" -m ruff check .
	"$(VENV)/bin/python" -m ruff format --check .
	"$(VENV)/bin/python" -m mypy

$(STAMP): pyproject.toml | python-is-new-enough
	"$(PYTHON)" -m venv "$(VENV)"
	"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch "$(STAMP)"

python-is-new-enough:
	@"$(PYTHON)" -c 'import sys; sys.exit("Python 3.11 or newer is needed, but $(PYTHON) is %d.%d: make PYTHON=python3.12, say" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'

clean:
	rm -rf $(EXECUTABLES) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path './$(VENV)' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf "$(VENV)"
