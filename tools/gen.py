"""Generate everything that is generated: stubs of three languages, and the two references.

    python -m tools.gen                      write it
    python -m tools.gen --check              exit 1 if what is committed differs
    python -m tools.gen --accept-breaking    write it even if clients built earlier break

Generated files are committed, so that nobody needs the generators to build a client, and are never
edited. The generators are pinned: Python's by requirements/dev.txt, Go's by the tool lines of
go.mod, TypeScript's by package-lock.json.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .api_reference import reference
from .protos import ROOT, SNAPSHOT, breaks, described, run_protoc

__all__ = ["GENERATORS", "differing", "generate", "main"]

GO_MODULE = "cardea.example/clients/go"
TS_OPTIONS = (
    "outputServices=grpc-js,env=node,esModuleInterop=true,importSuffix=.js,forceLong=bigint,"
    "oneof=unions-value,unrecognizedEnum=false,exportCommonSymbols=false"
)
PYTHON_PACKAGE_DOC = '"""Generated from proto/cardea/v1 by tools/gen.py. Never edited."""\n'

# Folders that hold generated files and nothing else: what the generators no longer write goes.
OWNED = ("clients/python/cardea/v1", "clients/go/cardeav1", "clients/typescript/src/gen")


def python_stubs(into: Path) -> None:
    """The proto package equals its path below proto/: the absolute imports need no rewriting."""
    home = _folder(into / "clients/python")
    scripts = Path(sysconfig.get_path("scripts"))
    run_protoc(
        f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        f"--python_out={home}",
        f"--grpc_python_out={home}",
        f"--mypy_out=quiet:{home}",
        f"--mypy_grpc_out=quiet:{home}",
    )
    (home / "cardea/v1/__init__.py").write_text(PYTHON_PACKAGE_DOC)


def go_stubs(into: Path) -> None:
    home = _folder(into / "clients/go")
    with tempfile.TemporaryDirectory() as plugins:
        subprocess.run(
            [
                *("go", "build", "-o", plugins + os.sep),
                "google.golang.org/protobuf/cmd/protoc-gen-go",
                "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
            ],
            cwd=ROOT / "clients/go",
            check=True,
        )
        run_protoc(
            f"--plugin=protoc-gen-go={plugins}/protoc-gen-go",
            f"--plugin=protoc-gen-go-grpc={plugins}/protoc-gen-go-grpc",
            f"--go_out={home}",
            f"--go_opt=module={GO_MODULE}",
            f"--go-grpc_out={home}",
            f"--go-grpc_opt=module={GO_MODULE}",
        )


def typescript_stubs(into: Path) -> None:
    home = ROOT / "clients/typescript"
    plugin = home / "node_modules/.bin/protoc-gen-ts_proto"
    if not plugin.exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=home, check=True)
    run_protoc(
        f"--proto_path={_googleapis()}",
        f"--plugin=protoc-gen-ts_proto={plugin}",
        f"--ts_proto_out={_folder(into / 'clients/typescript/src/gen')}",
        f"--ts_proto_opt={TS_OPTIONS}",
        # Without a package of their own in npm, the rich errors' messages come along.
        "google/rpc/status.proto",
        "google/rpc/error_details.proto",
    )


def api_reference(into: Path) -> None:
    page = reference(described("--include_source_info"))
    (_folder(into / "docs") / "api.md").write_text(page)


def configuration_reference(into: Path) -> None:
    page = subprocess.run(
        [sys.executable, "-m", "cardd.app.main", "config-reference"],
        capture_output=True,
        check=True,
    ).stdout
    (_folder(into / "docs") / "configuration.md").write_bytes(page)


def snapshot(into: Path) -> None:
    target = _folder(into / "proto") / SNAPSHOT.name
    described_now = described("--include_imports")
    target.write_bytes(described_now.SerializeToString(deterministic=True))


GENERATORS: tuple[Callable[[Path], None], ...] = (
    python_stubs,
    go_stubs,
    typescript_stubs,
    api_reference,
    configuration_reference,
    snapshot,
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument(
        "--accept-breaking",
        action="store_true",
        help="the API may break clients that were built earlier",
    )
    options = parser.parse_args(arguments)
    broken = breaks() if SNAPSHOT.exists() else ""
    if broken and not options.accept_breaking:
        print(broken, end="", file=sys.stderr)
        print(
            "The API would break clients that were built earlier. If that is meant, run "
            "`.venv/bin/python -m tools.gen --accept-breaking` and say so in CHANGELOG.md.",
            file=sys.stderr,
        )
        return 1
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory)
        generate(fresh)
        if not options.check:
            _install(fresh, ROOT)
            return 0
        names = differing(fresh, ROOT)
    for name in names:
        print(f"differs from what the generator writes: {name}", file=sys.stderr)
    if names:
        print("Run `make gen` and commit.", file=sys.stderr)
    return 1 if names else 0


def generate(into: Path, generators: Sequence[Callable[[Path], None]] = GENERATORS) -> None:
    """Write below ``into`` what belongs below the root."""
    for generator in generators:
        generator(into)


def differing(fresh: Path, root: Path, owned: Sequence[str] = OWNED) -> list[str]:
    """Names below ``root`` that are missing, stale or other than in ``fresh``."""
    names = {*_files(fresh), *_stale(fresh, root, owned)}
    return sorted(name for name in names if _content(fresh / name) != _content(root / name))


def _install(fresh: Path, root: Path) -> None:
    for name in _stale(fresh, root, OWNED):
        (root / name).unlink()
    for name in _files(fresh):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if _content(fresh / name) != _content(root / name):
            shutil.copyfile(fresh / name, root / name)


def _stale(fresh: Path, root: Path, owned: Sequence[str]) -> Iterator[str]:
    written = set(_files(fresh))
    for folder in owned:
        for name in _files(root / folder):
            if f"{folder}/{name}" not in written:
                yield f"{folder}/{name}"


def _files(folder: Path) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _googleapis() -> Path:
    import google.rpc

    return Path(next(iter(google.rpc.__path__))).parent.parent


if __name__ == "__main__":
    raise SystemExit(main())
