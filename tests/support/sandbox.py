"""A command under the system call filter of a systemd unit, as the manager would start it.

    python tests/support/sandbox.py packaging/systemd/cardd.service COMMAND…

systemd.exec(5): the first SystemCallFilter= is a list of what is allowed, those that follow add, or
with a tilde take away. What is not allowed is an error with SystemCallErrorNumber=, else the end.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

__all__ = ["allowed", "refusal"]

# linux/prctl.h, linux/seccomp.h
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
# linux/bpf_common.h: load a word, compare, return
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06


def allowed(unit: Path) -> set[str]:
    """The names of the system calls that are left to the unit."""
    sets = _sets()
    names = set(_members(sets, "@default"))
    for value in _values(unit, "SystemCallFilter"):
        listed = {name for word in value.lstrip("~").split() for name in _members(sets, word)}
        names = names - listed if value.startswith("~") else names | listed
    return names


def refusal(unit: Path) -> int:
    """What the kernel does with any other."""
    given = _values(unit, "SystemCallErrorNumber")
    return _ERRNO | getattr(errno, given[-1]) if given else _KILL_PROCESS


def _values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def _sets() -> dict[str, list[str]]:
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    sets: dict[str, list[str]] = {}
    members: list[str] = []
    for line in told.splitlines():
        if line.startswith("@"):
            members = sets[line.strip()] = []
        elif line.startswith(" ") and not line.strip().startswith("#"):
            members.append(line.strip())
    return sets


def _members(sets: dict[str, list[str]], word: str) -> list[str]:
    if not word.startswith("@"):
        return [word]
    return [name for member in sets[word] for name in _members(sets, member)]


def _numbers() -> dict[str, int]:
    told = subprocess.run(
        ["cc", "-dM", "-E", "-"],
        input="#include <asm/unistd.h>\n",
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {n: int(v) for n, v in re.findall(r"^#define __NR_(\w+) (\d+)$", told, re.MULTILINE)}


def _confine(unit: Path) -> None:
    numbers = _numbers()
    steps = [struct.pack("HBBI", _LOAD, 0, 0, 0)]
    for name in sorted(allowed(unit) & numbers.keys()):
        steps.append(struct.pack("HBBI", _IF_EQUAL, 0, 1, numbers[name]))
        steps.append(struct.pack("HBBI", _RETURN, 0, 0, _ALLOW))
    steps.append(struct.pack("HBBI", _RETURN, 0, 0, refusal(unit)))
    code = ctypes.create_string_buffer(b"".join(steps))
    program = struct.pack("HP", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _FILTER, program):
        raise OSError(ctypes.get_errno(), "the filter was refused")


if __name__ == "__main__":
    _confine(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
