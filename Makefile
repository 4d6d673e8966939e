# Every command there is to learn. The first run of any of them sets everything up.
SHELL := /bin/bash
PY := .venv/bin/python

.PHONY: help demo test check bench gen clean setup

help:
	@echo "make demo    the main job, end to end, in about a minute"
	@echo "make test    all tests, against a real pcscd"
	@echo "make check   format, lint, types, import contracts, stubs, both test sides"
	@echo "make bench   the figures that are measured so far, as JSON and pictures"
	@echo "make gen     what is generated: stubs, configuration and API reference"
	@echo "make clean   everything that is built"

setup:
	@tools/setup.sh

demo: setup
	@$(PY) -m demo

test: setup
	@tools/test.sh

check: setup
	@tools/check.sh

gen: setup
	@$(PY) tools/gen.py

clean:
	rm -rf .venv .build core-rs/target daemon/cardea_core/*.so dist
	find . -name __pycache__ -prune -exec rm -rf {} +
