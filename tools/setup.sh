#!/usr/bin/env bash
# Sets up what `make demo` and `make test` need, and says so: Debian packages, a virtual
# environment, the Rust module. Quick when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1msetup\033[0m  %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
mkdir -p .build

# pcscd, vpcd     the PC/SC stack and its virtual reader
# libpcsclite-dev, swig, gcc   pyscard is built from source: there is no wheel for Linux
# libwbxml2-utils, opensc      foreign programs that the tests set against ours
packages=(gcc libc6-dev libpcsclite-dev libwbxml2-utils make opensc pcscd python3-venv swig
    vsmartcard-vpcd)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
        missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    install="apt-get install -y --no-install-recommends ${missing[*]}"
    [ "$(id -u)" = 0 ] || fail "Debian packages are missing. Run: sudo $install"
    say "installing Debian packages: ${missing[*]}"
    { apt-get update && DEBIAN_FRONTEND=noninteractive $install; } >.build/apt.log 2>&1 ||
        fail "apt-get failed; see .build/apt.log"
fi

command -v python3.11 >/dev/null || fail "Python 3.11 is missing. Run: apt-get install python3.11"
command -v cargo >/dev/null || fail "Rust is missing. Install it with rustup (rustup.rs), 1.88 or later"

stamp() { # stamp NAME FILES…: true if the files are as they were when the stamp was set
    local name=$1; shift
    cat "$@" | sha256sum >".build/$name.new"
    cmp -s ".build/$name.new" ".build/$name"
}
keep() { mv ".build/$1.new" ".build/$1"; }

if ! stamp python requirements/runtime.txt requirements/dev.txt || [ ! -x .venv/bin/python ]; then
    say "installing Python packages into .venv (about a minute)"
    [ -x .venv/bin/python ] || python3.11 -m venv .venv
    # First the build tools, so that pyscard is built with them and not with unpinned ones.
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes \
        -r requirements/dev.txt >.build/pip.log 2>&1 &&
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes \
        --no-build-isolation -r requirements/runtime.txt >>.build/pip.log 2>&1 ||
        fail "pip failed; see .build/pip.log"
    keep python
    rm -f .build/packages .build/core
fi

if ! stamp packages pyproject.toml clients/python/pyproject.toml; then
    say "linking the packages of this checkout into .venv"
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
        --editable clients/python >.build/packages.log 2>&1 ||
        fail "pip failed; see .build/packages.log"
    rm -f .build/core
    keep packages
fi

mapfile -t sources < <(find core-rs -path core-rs/target -prune -o \
    \( -name '*.rs' -o -name 'Cargo.*' \) -print | LC_ALL=C sort)
module=daemon/cardea_core/_native.abi3.so
if ! stamp core "${sources[@]}" || [ ! -f "$module" ]; then
    say "building the Rust module (about two minutes the first time)"
    PATH="$PWD/.venv/bin:$PATH" .venv/bin/pip install --disable-pip-version-check --no-deps \
        --no-build-isolation --editable . >.build/core.log 2>&1 ||
        fail "the Rust build failed; see .build/core.log"
    keep core
fi
