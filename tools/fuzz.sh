#!/usr/bin/env bash
# Feeds arbitrary bytes to everything in Rust that reads what others have sent, for FUZZ_S seconds
# (600 by default). The targets are the property tests that `make test` runs a few hundred times
# each, on stable Rust. A case that fails is kept beside its test (*.proptest-regressions) and runs
# first from then on: commit it with the repair.
set -euo pipefail
cd "$(dirname "$0")/../core-rs"

end=$((SECONDS + ${FUZZ_S:-600}))
round=0
while [ "$SECONDS" -lt "$end" ]; do
    round=$((round + 1))
    PROPTEST_CASES=${FUZZ_CASES:-20000} cargo test --quiet --release --locked \
        -p session-crypto -p wire -- any_ no_bytes >../.build/fuzz.log 2>&1 ||
        { cat ../.build/fuzz.log; exit 1; }
    echo "fuzz: round $round held after ${SECONDS} s"
done
