# Nothing is needed on a fresh machine but Python 3.10+ and make.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
STAMP := $(VENV)/.installed
AXE := $(VENV)/axe
TORCHVISION := $(VENV)/torchvision
# The tests start hundreds of processes: without bytecode each would compile the package anew.
export PYTHONDONTWRITEBYTECODE :=
PROCESSES := tests/search tests/browser tests/docs tests/methods/test_conformance.py tests/unit tests/claims tests/simulation/test_cluster_coverage.py tests/simulation/test_null_calibration.py tests/plugin tests/cli tests/conformance  # the longest files first
TRAINED := tests/methods tests/claims tests/conformance tests/unit/models tests/unit/attacks tests/unit/test_task.py \
	--ignore tests/claims/test_wrong_calls.py --ignore tests/unit/models/test_saved_files.py  # what trains nothing
PYTEST := pytest -n 2 --dist loadfile -q -p no:benchmark
SUITE := $(RUN) $(PYTEST)

.PHONY: audit test test-processes test-slow test-portable test-trained test-pythons coverage benchmark benchmark-gpu judged leaderboard docs lint types contracts clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --upgrade pip
	$(RUN) pip install --quiet --constraint constraints.txt --group dev --group docs --editable .
	@touch $@

$(TORCHVISION): $(STAMP)  # for examples/cifar10 alone: transformers would import it as well, and fail with it on a CPU
	$(RUN) pip install --quiet --no-deps --constraint constraints.txt --target $@ torchvision

audit: $(STAMP)        ## audit a release on scikit-learn's digits and write a report to .unlearn/report
	$(RUN) pytest examples/digits_release_gate --unlearn-report

test: $(STAMP) $(TORCHVISION)         ## everything that is not slow
	$(SUITE) examples
	$(SUITE)

$(AXE): $(STAMP)       # rules of accessibility that the page is held to; without npm its tests are skipped
	-npm install --silent --no-audit --no-fund --prefix $(AXE) axe-core@4

test-processes: $(STAMP) $(AXE)  ## the slow tests that CI runs
	$(SUITE) -m "slow and not long" examples/github_actions examples/adversarial_requests
	$(SUITE) -m "slow and not long" $(PROCESSES)

test-slow: $(STAMP) $(AXE) $(TORCHVISION)
	$(SUITE) -m slow examples
	$(SUITE) -m slow

test-portable: $(STAMP)  ## everything that is not slow, as two other processors would run it
	ATEN_CPU_CAPABILITY=default $(MAKE) test
	ATEN_CPU_CAPABILITY=avx2 $(MAKE) test

test-trained: $(STAMP)  ## the tests that train, as another processor would run them, which rounds in its own way
	ATEN_CPU_CAPABILITY=avx2 $(SUITE) -p tests.another_processor $(TRAINED)

test-pythons: $(STAMP)   ## every other Python that is promised and is here, without torch
	$(RUN) tools.pythons

coverage: $(STAMP) $(TORCHVISION)       ## the tests of `make test`, as a third processor would run them, and what they run of the auditor
	$(VENV)/bin/coverage erase
	ATEN_CPU_CAPABILITY=default $(SUITE) examples
	ATEN_CPU_CAPABILITY=default $(VENV)/bin/coverage run -m $(PYTEST)
	$(VENV)/bin/coverage combine --quiet
	$(VENV)/bin/coverage report

benchmark: $(STAMP)    ## costs beside baselines, into docs/benchmarks.md, which also says what missed its target
	$(RUN) pytest -q -m benchmark tests/benchmarks --benchmark-json=.unlearn-benchmarks.json; \
	failed=$$?; $(RUN) tools.benchmarks .unlearn-benchmarks.json && rm .unlearn-benchmarks.json && exit $$failed

benchmark-gpu: $(STAMP)  ## what concerns a GPU: tests, and trainings beside the same on the processor; skipped without one
	$(RUN) pytest -q -p no:benchmark tests/unit/training/test_gpu.py
	$(RUN) pytest -q -m benchmark tests/benchmarks/test_gpu.py

judged: $(STAMP)       ## every judged table, resumable, into docs/judged/
	$(RUN) tools.judged

leaderboard: $(STAMP)  ## every reference method on Fashion-MNIST, resumable, into docs/leaderboard.md
	$(RUN) examples.neurips_leaderboard

docs: $(STAMP)         ## the documentation, into docs/_build; a warning is an error
	$(RUN) sphinx --fail-on-warning --keep-going --quiet docs docs/_build

lint: $(STAMP)
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: $(STAMP)
	$(RUN) mypy

contracts: $(STAMP)
	$(VENV)/bin/lint-imports

clean:
	rm -rf $(VENV) $(VENV)-* .unlearn docs/_build docs/reference/generated
