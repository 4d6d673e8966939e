"""Check that every foreign package may be used in a work under Apache-2.0 OR MIT.

    python -m tools.check_licences           exit 1 if one may not, or says nothing of its licence
    python -m tools.check_licences --list    print every package and its licence

Covered are what the programs are made of: requirements/runtime.txt, and the Go and npm packages of
the clients. Tools that only build and test are not handed on. Crates are cargo-deny's matter
(core-rs/deny.toml).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

__all__ = ["Package", "allowed", "main"]

# Permissive licences: they ask for their notice and no more.
PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "CC0-1.0", "ISC"),
    *("LicenseRef-Public-Domain", "MIT", "MIT-0", "PSF-2.0", "Unicode-3.0", "Unlicense", "Zlib"),
    # An exception gives more than its licence.
    "Apache-2.0 WITH LLVM-exception",
}
# Licences that stay with their own files; Python packages can be exchanged by whoever runs them.
WEAK_COPYLEFT = {
    "pyscard": "LGPL-2.1-or-later",
    "certifi": "MPL-2.0",
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
}
# What older Python packages write instead of an SPDX expression.
_LOOSE = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Public Domain": "LicenseRef-Public-Domain",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
}
# How the licence files of Go modules, which declare nothing, are told apart.
_TEXTS = (
    ("Apache License", "Apache-2.0"),
    ("Permission is hereby granted, free of charge", "MIT"),
    ("Neither the name of", "BSD-3-Clause"),
    ("Redistribution and use in source and binary forms", "BSD-2-Clause"),
)


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """A foreign package and its licence as an SPDX expression; empty if it states none."""

    source: str
    name: str
    version: str
    licence: str

    @property
    def accepted(self) -> bool:
        weak = WEAK_COPYLEFT.get(self.name) if self.source == "python" else None
        return allowed(self.licence, PERMISSIVE | ({weak} if weak else set()))


def allowed(expression: str, accepted: set[str] | frozenset[str] = frozenset(PERMISSIVE)) -> bool:
    """Whether an SPDX expression can be fulfilled with accepted licences alone."""
    words = re.findall(r"[()]|[^\s()]+", expression)
    tokens: list[str] = []
    for word in words:
        if tokens and (word == "WITH" or tokens[-1].endswith(" WITH")):
            tokens[-1] += f" {word}"
        else:
            tokens.append(word)
    try:
        verdict = _any_of(tokens, accepted)
    except IndexError:
        return False
    return verdict and not tokens


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print every package")
    options = parser.parse_args(arguments)
    packages = sorted({*_python(), *_go(), *_npm()})
    refused = [package for package in packages if not package.accepted]
    if options.list:
        for package in packages:
            print(f"{package.source:7} {package.name} {package.version}: {package.licence}")
    for package in refused:
        licence = package.licence or "no licence stated"
        print(f"not allowed: {package.source} {package.name} {package.version}: {licence}")
    return 1 if refused else 0


def _any_of(tokens: list[str], accepted: set[str] | frozenset[str]) -> bool:
    verdict = _all_of(tokens, accepted)
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        verdict = _all_of(tokens, accepted) or verdict
    return verdict


def _all_of(tokens: list[str], accepted: set[str] | frozenset[str]) -> bool:
    verdict = _one(tokens, accepted)
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        verdict = _one(tokens, accepted) and verdict
    return verdict


def _one(tokens: list[str], accepted: set[str] | frozenset[str]) -> bool:
    first = tokens.pop(0)
    if first != "(":
        return first in accepted
    verdict = _any_of(tokens, accepted)
    return tokens.pop(0) == ")" and verdict


def _python() -> Iterator[Package]:
    text = (ROOT / "requirements/runtime.txt").read_text()
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE):
        yield Package("python", name, version, _python_licence(name))


def _python_licence(name: str) -> str:
    fields = metadata.metadata(name).json
    if expression := fields.get("license_expression"):
        return str(expression)
    classifiers = [c.split(" :: ") for c in fields.get("classifier", [])]
    stated = [c[-1] for c in classifiers if c[0] == "License" and c[-1] != "OSI Approved"]
    stated = stated or str(fields.get("license", "")).strip().splitlines()[:1]
    return " AND ".join(_LOOSE.get(word, word) for word in stated)


def _npm() -> Iterator[Package]:
    lock = json.loads((ROOT / "clients/typescript/package-lock.json").read_text())
    for path, package in lock["packages"].items():
        if path and not package.get("dev"):
            name = path.rpartition("node_modules/")[2]
            yield Package("npm", name, package["version"], package.get("license", ""))


def _go() -> Iterator[Package]:
    template = "{{with .Module}}{{if .Dir}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}"
    home = ROOT / "clients/go"
    for line in set(_output(["go", "list", "-deps", "-f", template, "./..."], home).splitlines()):
        name, version, directory = line.split("\t")
        if version:
            yield Package("go", name, version, _licence_of(Path(directory)))


def _licence_of(directory: Path) -> str:
    for file in sorted(directory.glob("LICEN[SC]E*")):
        text = " ".join(file.read_text(errors="replace").split())
        for sign, licence in _TEXTS:
            if sign in text:
                return licence
    return ""


def _output(command: Sequence[str], directory: Path) -> str:
    done = subprocess.run(command, cwd=directory, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
