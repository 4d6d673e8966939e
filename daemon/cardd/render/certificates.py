"""CA certificates as PEM files, one for each leaf: DER, DER in base64, or PEM of one or several."""

from __future__ import annotations

import base64
import re
from functools import partial

from cardea_core import Snapshot
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .output import OWN_PREFIX, Output, OutputFile, Plan, PlanError

__all__ = ["certificates"]

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def certificates(root: str) -> Plan:
    """Renders every leaf right below ``root`` as `cardea-<name of the node>.pem`."""
    return partial(_plan, root)


def _plan(root: str, tree: Snapshot) -> Output:
    files, problems = [], []
    for name in tree.children(root) if tree.get(root) is not None else ():
        node = tree.get(f"{root}/{name}")
        if node is None or not node.value:
            continue
        try:
            files.append(OutputFile(_file_name(node.path, name), _pem(node.path, node.value)))
        except PlanError as error:
            problems.append(str(error))
    return Output(tuple(files), tuple(problems))


def _file_name(path: str, name: str) -> str:
    if not _FILE_NAME.fullmatch(name):
        raise PlanError(f"{path} has a name that no file is to have")
    return f"{OWN_PREFIX}{name}.pem"


def _pem(path: str, value: bytes) -> bytes:
    try:
        if b"-----BEGIN" in value:
            found = x509.load_pem_x509_certificates(value)
        elif value[:1] == b"\x30":
            found = [x509.load_der_x509_certificate(value)]
        else:
            der = base64.b64decode(b"".join(value.split()), validate=True)
            found = [x509.load_der_x509_certificate(der)]
    except (ValueError, x509.InvalidVersion):
        raise PlanError(f"{path} holds no certificate") from None
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in found)
