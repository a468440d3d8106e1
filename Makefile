# Two commands do everything on a fresh machine with Python 3.11 or newer and make:
#
#   make demo    the main job on real files, in a temporary store
#   make test    every test
#
# Each makes its own environment in this folder. `make help` lists the rest.

VENV      ?= .venv
VENV_DEMO ?= .venv-demo
VENV_PEERS ?= .venv-peers
BENCH_DIR ?= build/bench
# One more than there are cores: some tests wait, for servers and other processes.
JOBS      ?= $(shell $(PYTHON) -c 'import os; \
	print(1 + len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)))')
ARGS      ?=

# The first Python on the PATH that is new enough. Or say which: make test PYTHON=/path/to/python
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	echo "$$python"; break; fi; done)

RUN     := $(VENV)/bin/python -m
SOURCES := $(shell find datacat catalog_schema -name '*.py' -o -name '*.sql' 2>/dev/null)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test simulate race faults power soak campaigns fuzz lint format bench bench-peers docs clean

help:
	@echo "make demo    run the main job on real files, in a temporary store"
	@echo "make test    run every test           (make test ARGS='-k pull' JOBS=4)"
	@echo "make simulate  run clients in every order, with faults (some minutes on four cores)"
	@echo "make race    let 8 processes race for 1,000 slots on each kind of storage (half an hour)"
	@echo "make faults  kill commands at every system call, let every one fail (hours on two cores)"
	@echo "make power   cut the power of ext4 and XFS at every call of a command (root, half an hour)"
	@echo "make soak    16 writers in one store, some killed, with rm and gc beside them (ten minutes)"
	@echo "make campaigns  run what counts in docs/guarantees.md with more effort (ARGS='damage hostile'), write its table"
	@echo "make fuzz    let atheris look for input that a parser chokes on (half an hour)"
	@echo "make lint    check style, types and the direction of imports"
	@echo "make format  let ruff lay out the code"
	@echo "make bench   measure speed and memory (some minutes, some gigabytes of disk)"
	@echo "make bench-peers  install other tools and measure them beside datacat (hours; ARGS='csv')"
	@echo "make docs    write docs/cli.md again from the commands' own help"
	@echo "make clean   remove the environments and what the tools left"

demo: $(VENV_DEMO)/.installed
	$(VENV_DEMO)/bin/python examples/demo.py $(ARGS)

test: $(VENV)/.installed-test
	$(RUN) pytest -n $(JOBS) --dist worksteal $(ARGS)

simulate: $(VENV)/.installed-test
	$(RUN) tests.faults.interleaving $(ARGS)

race: export DATACAT_RACE_SLOTS ?= 1000
race: $(VENV)/.installed-test
	$(RUN) pytest -o timeout=0 tests/remote/test_race.py $(ARGS)

faults: $(VENV)/.installed-test
	$(RUN) tests.faults.system_calls $(ARGS)

power: $(VENV)/.installed-test
	$(RUN) tests.faults.power $(ARGS)

soak: $(VENV)/.installed-test
	$(RUN) tests.faults.soak $(ARGS)

campaigns: $(VENV)/.installed-test
	$(RUN) tests.faults.campaigns $(ARGS)

fuzz: $(VENV)/.installed-test
	$(RUN) pip install --quiet --disable-pip-version-check --group fuzz
	$(RUN) tests.fuzz $(ARGS)

lint: $(VENV)/.installed-test $(VENV)/.installed-lint
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	MYPYPATH=examples $(RUN) mypy --strict --explicit-package-bases examples tests/docs
	$(VENV)/bin/lint-imports

format: $(VENV)/.installed-lint
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

bench: $(VENV)/.installed-test
	mkdir -p $(BENCH_DIR)
	$(VENV)/bin/python benchmarks/run.py --workdir $(BENCH_DIR) $(ARGS)

bench-peers: $(VENV)/.installed-bench $(VENV_PEERS)/.installed
	mkdir -p $(BENCH_DIR)
	$(VENV)/bin/python benchmarks/peers.py --workdir $(BENCH_DIR) --tools $(VENV_PEERS) $(ARGS)

docs: $(VENV)/.installed-test
	$(RUN) datacat.cli.reference > docs/cli.md.new
	mv docs/cli.md.new docs/cli.md

clean:
	rm -rf $(VENV) $(VENV_DEMO) $(VENV_PEERS) build dist .hypothesis .mypy_cache .ruff_cache \
		.import_linter_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -maxdepth 1 -name '*.egg-info' -exec rm -rf {} +

# A stamp is as new as the environment that it stands for; a change of pyproject.toml makes the
# environment again up to date. `pip install --group` needs pip 25.1.

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	$(RUN) pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(RUN) pip install --quiet --disable-pip-version-check --editable '.[demo,s3,gcs,azure,sftp]' --group test
	@touch $@

$(VENV)/.installed-lint: pyproject.toml $(VENV)/.installed-test
	$(RUN) pip install --quiet --disable-pip-version-check --group lint
	@touch $@

$(VENV)/.installed-bench: pyproject.toml $(VENV)/.installed-test
	$(RUN) pip install --quiet --disable-pip-version-check --group bench
	@touch $@

# Other tools have dependencies of their own, so they get an environment of their own.

$(VENV_PEERS)/.installed: benchmarks/install_peers.sh | $(VENV_PEERS)/bin/python
	benchmarks/install_peers.sh $(VENV_PEERS)
	@touch $@

# The demo runs on a wheel, as a user would have it, and not on this folder.

$(VENV_DEMO)/.installed: pyproject.toml $(SOURCES) | $(VENV_DEMO)/bin/python
	$(VENV_DEMO)/bin/python -m pip install --quiet --disable-pip-version-check '.[demo]'
	@touch $@

%/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "datacat needs Python 3.11 or newer, and there is none on the PATH." >&2; \
		echo "  Install one (Debian, Ubuntu: apt install python3 python3-venv), or name one:" >&2; \
		echo "  make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
		exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "datacat needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make environments: its venv module is not installed." >&2; \
		echo "  Debian, Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
	"$(PYTHON)" -m venv $*
