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
PYTHONPATH="$others:tests" exec .venv/bin/python -m bench
