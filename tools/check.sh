#!/usr/bin/env bash
# Everything but the tests: format, lint, types, import contracts, the Rust door's stub,
# generated files.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" MYPYPATH=daemon:clients/python
step() { printf '\033[1mcheck\033[0m  %s\n' "$1"; shift; "$@"; }

step "Python format"    ruff format --check --quiet .
step "Python lint"      ruff check --quiet .
step "Python types"     mypy --no-error-summary daemon clients/python demo tools tests
step "import contracts" lint-imports --no-logo --no-cache
step "Rust stub"        stubtest cardea_core --mypy-config-file pyproject.toml --concise
step "Rust format"      cargo fmt --manifest-path core-rs/Cargo.toml --check
step "Rust lint"        cargo clippy --quiet --locked --manifest-path core-rs/Cargo.toml \
                            --workspace --all-targets -- -D warnings
step "generated files"  python tools/gen.py --check
step "systemd units"    tools/check-units.sh
