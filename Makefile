# The commands of the project; `make help` lists them. Python 3.11 or newer is all that has to be there besides git and make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := PYTHONPATH=operator:. $(BIN)/python
STAMP := $(VENV)/.made
# Two kind clusters side by side take 10 minutes where one takes 16 (docs/benchmarks.md); one where the cluster, its folder or its ports are given.
E2E_CLUSTERS ?= $(if $(KUBECONFIG_EXTERNAL)$(E2E_DIR)$(E2E_GATEWAY_PORT)$(E2E_GATEWAY_CONFIG_PORT),0,2)

.PHONY: help demo test up down reset-gateway run bench lint format types layers crds crd-drift manifests image unit engine integration e2e e2e-docker docs docs-reference bump lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 20

$(STAMP): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; this is %s. Set PYTHON=/path/to/python3.11 and run make again." % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/python -m pip --disable-pip-version-check check
	@touch $@

demo: $(STAMP) ## the whole life of a Client on a real API server and a real gateway, narrated (KEEP=1 leaves it up)
	$(PY) -m localenv.demo

test: lint types layers crd-drift unit engine docs integration ## every gate and every test, from nothing

up: $(STAMP) ## the local environment, in the background; writes .localenv/env
	$(PY) -m localenv up

down: $(STAMP) ## stop the local environment
	$(PY) -m localenv down

reset-gateway: $(STAMP) ## restart the gateway empty and publish the three APIs again
	$(PY) -m localenv reset-gateway

run: $(STAMP) ## the operator in the foreground against KUBECONFIG (default: the local environment's)
	KUBECONFIG=$${KUBECONFIG:-.localenv/kubeconfig-operator} $(PY) -m registrar run

bench: $(STAMP) ## the numbers of the design, beside a bare replay (BENCH_ARGS=--large for 10,000 x 5)
	$(PY) -m tests.bench $(BENCH_ARGS)

lint: $(STAMP) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP) ## let ruff put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy --strict

layers: $(STAMP) ## who may import whom
	PYTHONPATH=operator $(BIN)/lint-imports

crds: $(STAMP) ## write crds/ from the models
	$(PY) -m registrar.resources.generate

crd-drift: $(STAMP) ## fail when crds/ is not what the models say
	$(PY) -m registrar.resources.generate --check

manifests: $(STAMP) ## write manifests/install.yaml and the charts' generated parts from the chart, the models and the settings
	$(PY) -m localenv.manifests

image: $(STAMP) ## build the container image with docker, podman or buildah (IMAGE=, BASE_IMAGE=, RUNTIME_IMAGE=)
	$(PY) -m localenv.image

unit: $(STAMP) ## unit tests, with every branch of the lifecycle covered
	$(BIN)/pytest tests/unit --cov --cov-fail-under=100 -q

engine: $(STAMP) ## the engine in virtual time
	$(BIN)/pytest tests/engine -q

integration: $(STAMP) ## tests on the real API server and the real gateway
	$(BIN)/pytest tests/integration -q

e2e: $(STAMP) ## the packaged operator in a real cluster: KUBECONFIG_EXTERNAL, else kind on the Docker engine that answers (E2E_NODE_IMAGE=, E2E_CLUSTERS=2)
	@$(PY) -m localenv.kind prepare
	$(BIN)/pytest tests/e2e -q --numprocesses=$(E2E_CLUSTERS) --dist=loadfile --no-loadscope-reorder

e2e-docker: $(STAMP) ## make e2e on a Docker engine that is started for it, and stopped; on Debian, as root, it is installed too
	@$(PY) -m localenv.kind with-engine -- $(MAKE) --no-print-directory e2e

docs: $(STAMP) ## build the documentation into build/site; fails on a broken link and on a reference that has drifted
	$(PY) -m docs.generate --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

docs-reference: $(STAMP) ## write the generated pages below docs/reference/
	$(PY) -m docs.generate

bump: $(STAMP) ## set the version everywhere (VERSION=x.y.z)
	@test -n "$(VERSION)" || { echo "Say which version: make bump VERSION=x.y.z" >&2; exit 2; }
	$(PY) -m tools.bump $(VERSION)
	$(PY) -m tests.unit.charts.golden_files
	$(MAKE) manifests

lock: ## resolve requirements/*.in anew, with hashes (needs uv)
	for set in runtime build dev toolchain; do uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' -o requirements/$$set.txt requirements/$$set.in; done

clean: down ## stop what runs and remove the virtual environment
	rm -rf $(VENV) .localenv
