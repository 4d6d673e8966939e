#!/usr/bin/env bash
# Both sides of the tests: the Rust crates, then Python against a real pcscd, with the clients in
# Go and TypeScript. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
cargo test --quiet --locked --manifest-path core-rs/Cargo.toml --workspace --exclude cardea-core
python -m pytest "$@"
