# The list of commands. `make demo` and `make test` need nothing but Python (3.10 or newer) with pip, and node
# (20 or newer); everything else goes into .venv, where no system package is touched.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
BUILT  := jupyter_autostop/labextension/package.json
# What stands in front of the JupyterHub of the tests; the hub itself comes with the extra "test".
PROXY  := $(VENV)/hub/node_modules/.bin/configurable-http-proxy
SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) \
           labextension/package.json labextension/yarn.lock labextension/tsconfig.json

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test test-long lint bench mutants clean build pictures help

help:
	@echo 'make demo    JupyterLab with an emulated instance (REMAINING=6m brings the stop near, END=real ends JupyterLab at it)'
	@echo 'make test    every Python, TypeScript and browser test but the long ones'
	@echo 'make test-long  the long proofs'
	@echo 'make lint    ruff, mypy, import rules, eslint, prettier'
	@echo 'make bench   the figures, each beside its peer'
	@echo 'make mutants  how many small mistakes the tests would notice (MODULES="times/duration" for one)'
	@echo 'make pictures  the pictures in the README'
	@echo 'make build   wheel and sdist in dist/'
	@echo 'make clean   remove what these commands made'

demo: $(READY)
	@$(BIN)/jupyter-autostop demo $(if $(REMAINING),--remaining $(REMAINING)) $(if $(PORT),--port $(PORT)) $(if $(END),--end $(END))

test: $(READY) $(PROXY)
	@sh tests/tools/get_chromium.sh
	@# They wait more than they compute, so that three have room on two cores.
	$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile $(ARGS)

test-long: $(READY) $(PROXY)
	@sh tests/tools/get_chromium.sh
	$(BIN)/python -m pytest -m long $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd labextension && jlpm lint:check

bench: $(READY)
	PYTHONPATH=tests:tests/support:tests/browser $(BIN)/python tests/benchmarks/bench.py

mutants: $(READY)
	@$(BIN)/python -m pip install --quiet 'mutmut>=3.8,<3.9'
	$(BIN)/python tests/tools/mutants.py $(MODULES)

pictures: $(READY)
	@sh tests/tools/get_chromium.sh
	PYTHONPATH=tests:tests/support:tests/browser $(BIN)/python tests/tools/pictures.py

build: $(READY)
	$(BIN)/python -m build

$(READY): pyproject.toml $(BUILT)
	@echo 'Installing …'
	@# Through the link of last time pip would write into the built front end, and no wheel could be made of that.
	@rm -rf $(VENV)/share/jupyter/labextensions/jupyter-autostop jupyter_autostop/labextension/install.json
	@SKIP_JUPYTER_BUILDER=1 $(BIN)/python -m pip install --quiet --editable '.[test,lint]'
	@$(BIN)/jupyter-builder develop . --overwrite >/dev/null
	@touch $@

# JupyterLab's own package manager, since node may have come without npm.
$(PROXY): Makefile | $(READY)
	@mkdir -p $(VENV)/hub && cd $(VENV)/hub && echo '{"private": true}' >package.json && : >yarn.lock && \
	  { YARN_NODE_LINKER=node-modules YARN_ENABLE_SCRIPTS=false YARN_ENABLE_TELEMETRY=false \
	    jlpm add configurable-http-proxy@5.3.0 >install.log 2>&1 || { cat install.log >&2; exit 1; }; }
	@touch $@

$(BUILT): $(SOURCES) | $(VENV)
	@$(BIN)/python -m pip install --quiet 'jupyter-builder>=1.3,<2' 'jupyterlab>=4.4,<5'
	@echo 'Building the front end …'
	@cd labextension && { jlpm install --immutable && jlpm build:prod; } >$(CURDIR)/$(VENV)/front-end.log 2>&1 || \
	  { cat $(CURDIR)/$(VENV)/front-end.log >&2; exit 1; }
	@touch $@

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo 'Python 3.10 or newer is needed; name one with: make PYTHON=python3.11 …' >&2; exit 1; }
	@command -v node >/dev/null || { echo 'node (20 or newer) is needed to build the front end.' >&2; exit 1; }
	@echo 'Making the environment in $(VENV) …'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

clean:
	rm -rf $(VENV) dist build *.egg-info jupyter_autostop/labextension labextension/lib labextension/node_modules \
	  labextension/*.tsbuildinfo labextension/.yarn .pytest_cache .ruff_cache .mypy_cache .hypothesis tests/.artifacts
	find jupyter_autostop tests -name __pycache__ -type d -prune -exec rm -rf {} +
