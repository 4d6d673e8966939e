"""The only door to the compiled core; `_native.pyi` documents every name."""

from cardea_core._native import (
    BadMac,
    Change,
    Claim,
    CodecError,
    CoreError,
    CryptoError,
    Entry,
    Layer,
    Node,
    Snapshot,
    TlvError,
    TreeError,
    canonical_path,
    merge,
)

__all__ = [
    "BadMac",
    "Change",
    "Claim",
    "CodecError",
    "CoreError",
    "CryptoError",
    "Entry",
    "Layer",
    "Node",
    "Snapshot",
    "TlvError",
    "TreeError",
    "canonical_path",
    "merge",
]
