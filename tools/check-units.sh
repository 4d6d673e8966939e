#!/usr/bin/env bash
# The systemd units: syntax and directives, and that the sandbox stays tight. The units name
# /usr/bin/cardd; the copies that are checked name this checkout's.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is missing" >&2; exit 1; }
copies=$(mktemp -d)
trap 'rm -rf "$copies"' EXIT
for unit in packaging/systemd/*.service; do
    sed "s|^ExecStart=/usr/bin/|ExecStart=$PWD/.venv/bin/|; s|^Documentation=.*|Documentation=file://$PWD/README.md|" \
        "$unit" >"$copies/$(basename "$unit")"
done
systemd-analyze verify --man=no --recursive-errors=no "$copies"/*.service
# 0 is the tightest, 100 none at all; both need the network.
for unit in "$copies"/*.service; do
    systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" >"$copies/report" ||
        { cat "$copies/report" >&2; exit 1; }
    tail -n 1 "$copies/report"
done
