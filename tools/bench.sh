#!/usr/bin/env bash
# Measures what the promises say, side by side with what one would use instead. ONLY="F1 F2" selects.
set -euo pipefail
cd "$(dirname "$0")/.."

others=.build/bench
if ! cmp -s requirements/bench.txt "$others/installed"; then
    rm -rf "$others"
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --target "$others" -r requirements/bench.txt
    cp requirements/bench.txt "$others/installed"
fi
# F3 compiles a program against libyang.
if [[ " ${ONLY:-F3} " == *" F3 "* ]] && ! pkg-config --exists libyang; then
    [ "$(id -u)" = 0 ] || { echo "bench: run: sudo apt-get install libyang2-dev" >&2; exit 1; }
    { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends libyang2-dev; } >.build/bench-apt.log 2>&1 ||
        { tail -n 20 .build/bench-apt.log >&2; exit 1; }
fi
PYTHONPATH="$others:tests" exec .venv/bin/python -m bench
