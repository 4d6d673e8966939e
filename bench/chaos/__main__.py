"""Measure, print, and write bench/results/<promise>.json and .svg; ONLY="P1 P2" selects.

SHORT=1 bounds the whole run to about a minute and writes to .build/chaos instead. Ends with 1
if a promise does not hold.
"""

from __future__ import annotations

import os
import signal
import sys

from bench.chaos import staged


def main() -> int:
    """Run the promises that are asked for, all by default."""
    known = sorted(staged.promises(), key=lambda name: (name[0] != "P", int(name[1:])))
    wanted = os.environ.get("ONLY", "").upper().split() or known
    if unknown := [name for name in wanted if name not in known]:
        print(f"chaos: no such promise: {' '.join(unknown)}; there are {' '.join(known)}")
        return 2
    # So that what runs is ended, and not left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    kept = [staged.measure(name) for name in wanted]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
