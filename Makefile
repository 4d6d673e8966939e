# Every command there is to learn. The first run of any of them sets everything up.
SHELL := /bin/bash
PY := .venv/bin/python

.PHONY: help demo play test check bench fuzz chaos gen clean setup

help:
	@echo "make demo    the main job, end to end, in 15 seconds"
	@echo "make play    a machine with a provisioned card in its reader, to try things on"
	@echo "make test    all tests, against a real pcscd"
	@echo "make check   everything else that has to hold: format, lint, types, contracts, stubs, …"
	@echo "make bench   figures beside those of what one would use instead, as JSON and pictures"
	@echo "make fuzz    hostile bytes for all that reads what others have sent, ten minutes"
	@echo "make chaos   cards pulled, pcscd killed, hostile users: what is promised for such moments"
	@echo "make gen     writes what is generated: stubs, configuration and API reference"
	@echo "make setup   installs what the others need, as each of them does by itself"
	@echo "make clean   removes everything that is built"

setup:
	@tools/setup.sh

demo:
	@tools/setup.sh demo
	@$(PY) -m demo

play:
	@tools/setup.sh demo
	@$(PY) -m demo.playground

test: setup
	@tools/test.sh

check: setup
	@tools/check.sh

# ONLY="F1 F2" selects.
bench: setup
	@tools/bench.sh

# FUZZ_S=60 makes it a minute.
fuzz: setup
	@$(PY) -m tools.fuzz

# ONLY="P1 P2" selects; SHORT=1 takes about a minute and leaves the quoted figures alone.
chaos: setup
	@PYTHONPATH=tests $(PY) -m bench.chaos

gen: setup
	@PATH="$(CURDIR)/.venv/bin:$$PATH" $(PY) -m tools.gen

clean:
	rm -rf .venv .build build-env wheels clients/python/build core-rs/target core-rs/fuzz/target daemon/cardea_core/*.so dist
	rm -rf clients/typescript/node_modules clients/typescript/dist
	find . -name __pycache__ -prune -exec rm -rf {} +
