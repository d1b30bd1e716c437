# hookrack: `make` alone is what decides whether a change is good.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
PORT ?= 8080
DATA_DIR ?= .hookrack
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: all setup run check audit fmt test chaos crowd conformance kairos fuzz bench docs lock clean
all: check test

setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	@$(or $(PYTHON),false) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "hookrack needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv); make PYTHON=... names one"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

run: setup
	$(BIN)/hookrack serve --config examples/hookrack.yaml --port "$(PORT)" --data-dir "$(DATA_DIR)"

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --severity-level medium src
	@.ci/audit --if-reachable

# Known holes in what is pinned; fails where PyPI's vulnerability service doesn't answer.
audit: setup
	.ci/audit

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A process for each core, each with engines and servers of its own.
test: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

# Kills the server and its engine in mid-traffic, CYCLES times, and counts what was acknowledged.
CYCLES ?= 200
chaos: setup
	$(BIN)/python -m chaos.kill --cycles $(CYCLES)
	$(BIN)/python -m chaos.lease --cycles $(CYCLES)

# 5,000 slow sockets beside honest senders, then 100,000 clients that hang up in mid-request.
crowd: setup
	$(BIN)/python -m chaos.slow
	$(BIN)/python -m chaos.cancel

# The mapping engine against Velocity 1.7 itself: recorded cases, and CASES generated ones of a kind.
CASES ?= 3000
SEED ?= 1
DRAWN ?= 1000
conformance: setup
	conformance/install
	$(BIN)/python -m conformance --cases $(CASES) --drawn $(DRAWN) --seed $(SEED)

# What a platform spares its message broker: the example, with a real ActiveMQ where there is one.
kairos: setup
	$(BIN)/python -m examples.kairos

# What reads hostile bytes, under atheris, FUZZ_SECONDS for each of TARGETS. What it finds is kept in fuzz/found.
FUZZ_SECONDS ?= 30
fuzz: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --require-hashes \
		--target .venv/fuzz -r fuzz/requirements.lock
	PYTHONPATH=tests:.venv/fuzz $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) $(TARGETS)

bench: setup
	$(BIN)/python -m bench $(BENCH)

# Writes docs/reference/ anew from the code; a test says when that is due.
docs: setup
	$(BIN)/python -m docs.generate

lock: setup
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --extra dev --custom-compile-command "make lock" -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --no-annotate --custom-compile-command "make lock" -o fuzz/requirements.lock fuzz/requirements.in
	for each in worker api; do \
		$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
			--python-version 3.11 --constraint requirements.lock --no-annotate --custom-compile-command "make lock" \
			-o src/hookrack/aws/$$each.lock src/hookrack/aws/$$each.in || exit 1; done
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--python-version 3.13 --no-annotate --custom-compile-command "make lock" \
		-o tests/aws/localstack/requirements.lock tests/aws/localstack/requirements.in

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache
