#!/usr/bin/env python3
"""Generate the Python stubs of cardea.v1 from proto/ into clients/python.

    python tools/gen_stubs.py            write them
    python tools/gen_stubs.py --check    exit 1 if what is committed differs

The proto package cardea.v1 equals its path below proto/, so the generated absolute imports need no
rewriting. mypy-protobuf writes the types, for messages and for services, sync and aio.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
TARGET = ROOT / "clients" / "python" / "cardea" / "v1"

PACKAGE_DOC = '"""Generated from proto/cardea/v1 by tools/gen_stubs.py. Never edited."""\n'


def generate(into: Path) -> None:
    """Write cardea/v1 below ``into``."""
    scripts = Path(sysconfig.get_path("scripts"))
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("cardea/v1/*.proto"))
    tools = find_spec("grpc_tools")
    if tools is None or tools.origin is None:
        raise SystemExit("grpcio-tools is missing: pip install -r requirements/dev.txt")
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"--proto_path={PROTO}",
        f"--proto_path={Path(tools.origin).parent / '_proto'}",
        f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        f"--python_out={into}",
        f"--grpc_python_out={into}",
        f"--mypy_out=quiet:{into}",
        f"--mypy_grpc_out=quiet:{into}",
        *sources,
    ]
    if subprocess.run(command, check=False).returncode != 0:
        raise SystemExit("protoc failed")
    (into / "cardea" / "v1" / "__init__.py").write_text(PACKAGE_DOC)


def differing(generated: Path) -> list[str]:
    """Names that are missing, stale or different in the work tree."""
    fresh = {path.name for path in (generated / "cardea" / "v1").iterdir()}
    present = {path.name for path in TARGET.iterdir() if path.is_file()}
    bad = sorted(fresh ^ present)
    _, mismatch, errors = filecmp.cmpfiles(
        generated / "cardea" / "v1", TARGET, sorted(fresh & present), shallow=False
    )
    return bad + mismatch + errors


def install(generated: Path) -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    for stale in TARGET.glob("*_pb2*"):
        stale.unlink()
    for path in sorted((generated / "cardea" / "v1").iterdir()):
        shutil.copyfile(path, TARGET / path.name)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        generated = Path(directory)
        generate(generated)
        if not options.check:
            install(generated)
            return 0
        bad = differing(generated)
    for name in bad:
        print(f"differs from proto/: {name}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
