# Everything runs from a virtual environment that `setup` makes; a second run finds it ready.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
UV := .cache/bootstrap/bin/uv
REQUIREMENTS := $(shell if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; then echo gpu; else echo cpu; fi)

.PHONY: help setup setup-dev demo test fuzz lint types generate check-generated lock vulnerabilities bench doctor clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup: $(VENV)/.installed-run ## install what `frs` needs, for the CPU or the GPU as this machine has one

setup-dev: $(VENV)/.installed-dev ## the same with what the tests need

$(UV): requirements/bootstrap.txt
	@echo "setup: preparing the installer"
	@p=$(PYTHON); command -v $$p >/dev/null 2>&1 || p=python3; \
	  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: Python 3.11 or later is needed; say make PYTHON=/path/to/python3.11"; exit 1; }; \
	  $$p -m venv .cache/bootstrap && .cache/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(BIN)/python: | $(UV)
	@p=$(PYTHON); command -v $$p >/dev/null 2>&1 || p=python3; $(UV) venv --quiet --python $$p $(VENV)

# A development environment holds everything a run needs, so it satisfies `setup` too.
$(VENV)/.installed-run: requirements/cpu.txt requirements/gpu.txt pyproject.toml | $(UV) $(BIN)/python
	@if [ -f $(VENV)/.installed-dev ] && [ $(VENV)/.installed-dev -nt requirements/dev.txt ]; then :; else \
	  echo "setup: installing requirements/$(REQUIREMENTS).txt"; \
	  VIRTUAL_ENV=$(VENV) $(UV) pip sync --quiet --require-hashes requirements/$(REQUIREMENTS).txt && \
	  printf '%s\n' "$(CURDIR)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/frs-checkout.pth"; fi
	@printf '#!/bin/sh\nexec "%s/$(BIN)/python" -m frs.cli.main "$$@"\n' "$(CURDIR)" > $(BIN)/frs && chmod +x $(BIN)/frs
	@printf '#!/bin/sh\nPYTHONPATH="%s/verifier" exec "%s/$(BIN)/python" -m frs_verify "$$@"\n' "$(CURDIR)" "$(CURDIR)" > $(BIN)/frs-verify && chmod +x $(BIN)/frs-verify
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt pyproject.toml | $(UV) $(BIN)/python
	@echo "setup: installing requirements/dev.txt"
	@VIRTUAL_ENV=$(VENV) $(UV) pip sync --quiet --require-hashes requirements/dev.txt
	@printf '%s\n' "$(CURDIR)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/frs-checkout.pth"
	@printf '#!/bin/sh\nexec "%s/$(BIN)/python" -m frs.cli.main "$$@"\n' "$(CURDIR)" > $(BIN)/frs && chmod +x $(BIN)/frs
	@printf '#!/bin/sh\nPYTHONPATH="%s/verifier" exec "%s/$(BIN)/python" -m frs_verify "$$@"\n' "$(CURDIR)" "$(CURDIR)" > $(BIN)/frs-verify && chmod +x $(BIN)/frs-verify
	@touch $@ $(VENV)/.installed-run

demo: setup ## the whole way of a face, offline, in minutes
	@$(BIN)/frs demo --out demo-out

test: setup-dev lint types check-generated ## lint, types, generated code, then every test, two at a time
	@$(BIN)/python -m pytest -n 2 --dist loadscope $(PYTEST_ARGS)

fuzz: setup-dev ## feed every decoder and every RPC with damaged input for FRS_FUZZ_SECONDS each (60); keeps what it finds
	@FRS_FUZZ_SECONDS=$${FRS_FUZZ_SECONDS:-60} $(BIN)/python -m pytest -n 2 tests/fuzz

lint: setup-dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@cd protos && ../$(BIN)/buf lint

types: setup-dev
	@$(BIN)/mypy

generate: setup-dev ## regenerate frs/v1 from protos/
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I protos --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. protos/frs/v1/*.proto

check-generated: setup-dev
	@rm -rf .cache/generated && mkdir -p .cache/generated
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I protos --python_out=.cache/generated --grpc_python_out=.cache/generated --mypy_out=quiet:.cache/generated --mypy_grpc_out=quiet:.cache/generated protos/frs/v1/*.proto
	@diff -r -x __init__.py -x __pycache__ .cache/generated/frs/v1 frs/v1 || { echo "frs/v1 differs from protos/: run make generate"; exit 1; }

COMPILE := $(UV) pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: $(UV) ## compile requirements/*.in anew
	@$(COMPILE) requirements/cpu.in -o requirements/cpu.txt
	@$(COMPILE) requirements/gpu.in --override requirements/gpu-overrides.txt -o requirements/gpu.txt
	@$(COMPILE) requirements/dev.in -o requirements/dev.txt
	@$(COMPILE) requirements/vulnerabilities.in -o requirements/vulnerabilities.txt

# The checker has an environment of its own: what it needs shall not choose versions of what is run.
AUDIT := .cache/vulnerabilities
AUDITED := cpu gpu dev bootstrap vulnerabilities
$(AUDIT)/.installed: requirements/vulnerabilities.txt | $(UV)
	@echo "vulnerabilities: preparing the checker"
	@p=$(PYTHON); command -v $$p >/dev/null 2>&1 || p=python3; $(UV) venv --quiet --clear --python $$p $(AUDIT)
	@VIRTUAL_ENV=$(AUDIT) $(UV) pip sync --quiet --require-hashes requirements/vulnerabilities.txt
	@touch $@

vulnerabilities: $(AUDIT)/.installed ## ask the public advisories about every pinned package; needs the network
	@for each in $(AUDITED); do echo "vulnerabilities: requirements/$$each.txt"; \
	  $(AUDIT)/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes --cache-dir .cache/advisories \
	    -r requirements/$$each.txt || failed=1; done; exit $${failed:-0}

bench: setup-dev ## every benchmark; writes bench/results and bench/RESULTS.md
	@$(BIN)/python -m bench

doctor: setup ## what this machine and installation can do
	@$(BIN)/frs doctor

clean: ## remove what can be made again
	rm -rf .venv .cache demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
