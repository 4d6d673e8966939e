#!/usr/bin/env bash
# Everything but the tests: format, lint, types, import contracts, the Rust door's stub, the API,
# generated files, the clients, licences, systemd units. Every step runs; the end says which failed.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PWD/.build/cargo/bin:$PATH" MYPYPATH=daemon:clients/python
failed=()
step() {
    local name=$1; shift
    printf '\033[1mcheck\033[0m  %s\n' "$name"
    "$@" || failed+=("$name")
}
unchanged() { # unchanged COMMAND…: a command that lists what it would change
    local found
    found=$("$@") && [ -z "$found" ] || { printf '%s\n' "$found"; return 1; }
}
quietly() { # quietly COMMAND…: its output is of interest only if it fails
    local output
    output=$("$@" 2>&1) || { printf '%s\n' "$output"; return 1; }
}
in_rust() { (cd core-rs && "$@"); }
in_go() { (cd clients/go && "$@"); }
in_typescript() { (cd clients/typescript && "$@"); }

step "Python format"      ruff format --check --quiet .
step "Python lint"        ruff check --quiet .
step "Python types"       mypy --no-error-summary daemon clients/python demo tools bench tests
step "import contracts"   quietly lint-imports --no-cache
step "Rust stub"          stubtest cardea_core --mypy-config-file pyproject.toml --concise
step "Rust format"        cargo fmt --all --manifest-path core-rs/Cargo.toml --check
step "fuzz format"        cargo fmt --manifest-path core-rs/fuzz/Cargo.toml --check
step "Rust lint"          cargo clippy --quiet --locked --manifest-path core-rs/Cargo.toml \
                              --workspace --all-targets -- -D warnings
step "Rust dependencies"  in_rust quietly cargo-deny --offline --locked check licenses bans sources
step "Go format"          in_go unchanged gofmt -l .
step "Go lint"            in_go go vet ./...
step "TypeScript types"   in_typescript node_modules/.bin/tsc --noEmit
step "API format"         buf format proto --diff --exit-code
step "API lint"           buf lint proto
step "generated files"    python -m tools.gen --check
step "licences"           python -m tools.check_licences
step "systemd units"      tools/check-units.sh

if [ ${#failed[@]} -gt 0 ]; then
    printf 'check: failed: %s\n' "$(IFS=,; echo "${failed[*]}" | sed 's/,/, /g')" >&2
    exit 1
fi
