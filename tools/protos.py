"""The proto files and the compiler that reads them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

__all__ = ["PROTO", "ROOT", "SNAPSHOT", "breaks", "described", "run_protoc"]

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
# What clients have been built against: a FileDescriptorSet.
SNAPSHOT = PROTO / "cardea.binpb"


def run_protoc(*arguments: str) -> None:
    """Run protoc over the files of cardea.v1."""
    # A child, because protoc keeps state between two runs in one process.
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("cardea/v1/*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}"]
    subprocess.run([*command, f"--proto_path={well_known}", *arguments, *sources], check=True)


def described(*options: str) -> FileDescriptorSet:
    """The descriptors of the present files; with --include_source_info, their comments too."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "set"
        run_protoc(f"--descriptor_set_out={output}", *options)
        return FileDescriptorSet.FromString(output.read_bytes())


def breaks(proto: Path = PROTO, snapshot: Path = SNAPSHOT) -> str:
    """What in ``proto`` would break a client of the snapshot, a line each; empty if nothing."""
    buf = Path(sys.executable).with_name("buf")
    done = subprocess.run(
        [buf, "breaking", proto, "--against", snapshot], capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 100):  # 100: it compared, and found something
        raise RuntimeError(f"buf breaking: {done.stderr}")
    return done.stdout
