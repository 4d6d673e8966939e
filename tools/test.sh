#!/usr/bin/env bash
# Both sides of the tests: the Rust crates, then Python against a real pcscd.
set -euo pipefail
cd "$(dirname "$0")/.."
(cd core-rs && cargo test --quiet --locked --workspace --exclude cardea-core)
.venv/bin/python -m pytest "$@"
