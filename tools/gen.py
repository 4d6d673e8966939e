#!/usr/bin/env python3
"""Generate everything that is generated: stubs of three languages.

    python tools/gen.py            write it
    python tools/gen.py --check    exit 1 if what is committed differs

Generated code is committed, so that nobody needs the generators to build a client, and is never
edited. The generators are pinned: Python's by requirements/dev.txt, Go's by the tool lines of
go.mod, TypeScript's by package-lock.json.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = ROOT / "clients"
PROTO = ROOT / "proto"
GO_MODULE = "cardea.example/clients/go"
TS_OPTIONS = (
    "outputServices=grpc-js,env=node,esModuleInterop=true,importSuffix=.js,forceLong=bigint,"
    "oneof=unions-value,unrecognizedEnum=false,exportCommonSymbols=false"
)
PYTHON_PACKAGE_DOC = '"""Generated from proto/cardea/v1 by tools/gen.py. Never edited."""\n'


def python(into: Path) -> None:
    """The proto package equals its path below proto/: the absolute imports need no rewriting."""
    scripts = Path(sysconfig.get_path("scripts"))
    _protoc(
        f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        f"--python_out={into}",
        f"--grpc_python_out={into}",
        f"--mypy_out=quiet:{into}",
        f"--mypy_grpc_out=quiet:{into}",
    )
    (into / "cardea/v1/__init__.py").write_text(PYTHON_PACKAGE_DOC)


def go(into: Path) -> None:
    with tempfile.TemporaryDirectory() as plugins:
        subprocess.run(
            [
                *("go", "build", "-o", plugins + os.sep),
                "google.golang.org/protobuf/cmd/protoc-gen-go",
                "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
            ],
            cwd=CLIENTS / "go",
            check=True,
        )
        _protoc(
            f"--plugin=protoc-gen-go={plugins}/protoc-gen-go",
            f"--plugin=protoc-gen-go-grpc={plugins}/protoc-gen-go-grpc",
            f"--go_out={into}",
            f"--go_opt=module={GO_MODULE}",
            f"--go-grpc_out={into}",
            f"--go-grpc_opt=module={GO_MODULE}",
        )


def typescript(into: Path) -> None:
    home = CLIENTS / "typescript"
    plugin = home / "node_modules/.bin/protoc-gen-ts_proto"
    if not plugin.exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=home, check=True)
    _protoc(
        f"--proto_path={_googleapis()}",
        f"--plugin=protoc-gen-ts_proto={plugin}",
        f"--ts_proto_out={into}",
        f"--ts_proto_opt={TS_OPTIONS}",
        # Without a package of their own in npm, the rich errors' messages come along.
        "google/rpc/status.proto",
        "google/rpc/error_details.proto",
    )


TARGETS: dict[Callable[[Path], None], Path] = {
    python: CLIENTS / "python",
    go: CLIENTS / "go",
    typescript: CLIENTS / "typescript/src/gen",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    different: list[str] = []
    for generate, home in TARGETS.items():
        with tempfile.TemporaryDirectory() as directory:
            fresh = Path(directory)
            generate(fresh)
            # The folders that hold generated files and nothing else.
            for folder in sorted({path.parent for path in fresh.rglob("*") if path.is_file()}):
                target = home / folder.relative_to(fresh)
                if check:
                    different += [str(target / name) for name in _differing(folder, target)]
                else:
                    _install(folder, target)
    for name in different:
        print(f"differs from what the generator writes: {name}", file=sys.stderr)
    if different:
        print("Run `make gen` and commit.", file=sys.stderr)
    return 1 if different else 0


def _protoc(*arguments: str) -> None:
    # A child, because protoc keeps state between two runs in one process.
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("cardea/v1/*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}"]
    subprocess.run([*command, f"--proto_path={well_known}", *arguments, *sources], check=True)


def _googleapis() -> Path:
    import google.rpc

    return Path(next(iter(google.rpc.__path__))).parent.parent


def _files(folder: Path) -> set[str]:
    skip = {"py.typed"}
    return {path.name for path in folder.glob("*") if path.is_file()} - skip


def _differing(fresh: Path, target: Path) -> list[str]:
    _, mismatch, errors = filecmp.cmpfiles(
        fresh, target, _files(fresh) & _files(target), shallow=False
    )
    return sorted(_files(fresh) ^ _files(target)) + mismatch + errors


def _install(fresh: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for stale in _files(target) - _files(fresh):
        (target / stale).unlink()
    for name in _files(fresh):
        shutil.copyfile(fresh / name, target / name)


if __name__ == "__main__":
    raise SystemExit(main())
