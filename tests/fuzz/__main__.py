"""Run one Python target under libFuzzer: `python -m fuzz NAME ARGUMENTS… CORPORA…`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(
    include=["omadm", "gba", "cardd", "dmsd", "softcard"], enable_loader_override=False
):
    from fuzz.parsers import TARGETS


def main() -> None:
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
