"""Fuzz everything that takes what others send: parsers in Rust and in Python, the gRPC edge.

    python -m tools.fuzz [--seconds N] [TARGET…]

N is the time for all targets together (600). A planted bug is fuzzed first: a fuzzer that does not
find it finds nothing else either. Corpora are kept in .build/fuzz and go on from where they were;
what makes a target fail lies beside them as crash-TARGET-…

The targets in Rust are libFuzzer's, built on stable Rust with LLVM's coverage pass; those in Python
run under atheris, which is libFuzzer too.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "core-rs/fuzz"
WORK = ROOT / ".build/fuzz"

# What cargo-fuzz asks of LLVM, without what only a nightly compiler takes (AddressSanitizer: the
# targets have no unsafe code but that of two audited modules).
COVERAGE = (
    "-Cpasses=sancov-module",
    *(
        f"-Cllvm-args=-sanitizer-coverage-{option}"
        for option in ("level=4", "inline-8bit-counters", "pc-table", "trace-compares")
    ),
    # Conditions stay apart, so that each is found out by itself.
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
)
PLANTED, EDGE = "planted", "edge"
_MEMORY_MB = 512
_LONGEST_INPUT = 4096
_PLANTED_S = 30


@dataclass(frozen=True, slots=True)
class Result:
    """How one target went; coverage in edges, at the beginning and at the end."""

    name: str
    passed: bool
    log: str

    @property
    def line(self) -> str:
        if self.name == EDGE:
            return self.log.splitlines()[-1] if self.log else ""
        covered = re.findall(r"^#\d+\s+(?:INITED|DONE) +cov: (\d+)", self.log, re.MULTILINE)
        runs = re.search(r"number_of_executed_units: (\d+)", self.log)
        memory = re.search(r"peak_rss_mb: +(\d+)", self.log)
        known = [f"covered {' → '.join(covered)}"] if covered else []
        known += [f"{runs[1]} inputs"] if runs else []
        known += [f"{memory[1]} MB"] if memory else []
        return ", ".join(known)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_S", "600")))
    parser.add_argument("targets", nargs="*")
    options = parser.parse_args(arguments)
    binaries = _built()
    rust, python = _with_seeds()
    known = [*rust, *python, EDGE]
    wanted = options.targets or known
    if unknown := set(wanted) - set(known):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    planted = _libfuzzer(PLANTED, [str(binaries / PLANTED)], _PLANTED_S)
    if planted.passed or "the planted bug" not in planted.log:
        print(f"fuzz: the planted bug was not found in {_PLANTED_S} s", file=sys.stderr)
        return 1
    workers = os.cpu_count() or 1
    seconds = max(options.seconds * workers / len(wanted), 1)
    print(f"fuzz: {len(wanted)} targets, {seconds:.1f} s each, {workers} at a time", flush=True)

    def run(name: str) -> Result:
        if name == EDGE:
            return _run(EDGE, [sys.executable, "-m", "fuzz.edge", f"--seconds={seconds}"])
        command = [str(binaries / name)] if name in rust else [sys.executable, "-m", "fuzz", name]
        return _libfuzzer(name, command, seconds)

    failed = []
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(run, wanted):
            print(f"{'held' if result.passed else 'FAILED':6}  {result.name:20} {result.line}")
            if not result.passed:
                failed.append(result.name)
                print(result.log[-6000:], file=sys.stderr)
    if failed:
        print(f"fuzz: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _built() -> Path:
    """The folder with the targets in Rust."""
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = version.split("host: ")[1].splitlines()[0]
    # With a target named, build scripts and macros are built without the flags.
    command = ["cargo", "build", "--quiet", "--release", "--locked", f"--target={host}"]
    environment = os.environ | {"RUSTFLAGS": " ".join(COVERAGE)}
    subprocess.run(command, cwd=FUZZ, check=True, env=environment)
    return FUZZ / "target" / host / "release"


def _with_seeds() -> tuple[list[str], list[str]]:
    """The names of the targets in Rust and in Python; their seeds are written."""
    sys.path.insert(0, str(ROOT / "tests"))
    from fuzz.parsers import TARGETS
    from fuzz.rust_seeds import SEEDS

    everything = {**SEEDS, **{name: target.seeds for name, target in TARGETS.items()}}
    for name, seeds in everything.items():
        folder = WORK / "seeds" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds()):
            (folder / str(number)).write_bytes(seed)
    return [name for name in SEEDS if name != PLANTED], list(TARGETS)


def _libfuzzer(name: str, command: Sequence[str], seconds: float) -> Result:
    corpus = WORK / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": max(round(seconds), 1),
        "max_len": _LONGEST_INPUT,
        "rss_limit_mb": _MEMORY_MB,
        "timeout": 20,
        # A comparison that comes closer counts as something new.
        "use_value_profile": 1,
        "print_final_stats": 1,
        "artifact_prefix": f"{WORK}/crash-{name}-",
    }
    words = [f"-{option}={value}" for option, value in options.items()]
    return _run(name, [*command, *words, str(corpus), str(WORK / "seeds" / name)])


def _run(name: str, command: Sequence[str]) -> Result:
    environment: Mapping[str, str] = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return Result(name, done.returncode == 0, done.stdout.decode(errors="replace"))


if __name__ == "__main__":
    sys.exit(main())
