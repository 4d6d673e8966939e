"""The usual faults between a program and a card, looked for in their order, with what helps."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import cardea
from cardea.errors import REMEDIES
from cardea.v1 import readers_pb2

from .context import exit_code

__all__ = ["Finding", "examine", "worst"]

DAEMON_SOCKET = Path("/run/cardea/cardd.sock")
PCSC_SOCKET = Path("/run/pcscd/pcscd.comm")
# pcscd asks it since 2.0; Debian calls the file so.
POLKIT_POLICY = Path("/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy")
DRIVERS = Path("/usr/lib/pcsc/drivers")

_FOREIGN = "another PC/SC program"
_SELECT_MF = bytes.fromhex("00A4000C023F00")
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `reason` is that of errors.proto, empty if all is well."""

    what: str
    detail: str
    reason: str = ""
    remedy: str = ""

    @property
    def well(self) -> bool:
        return not self.reason


def examine(daemon: Path, client: cardea.Client) -> Iterator[Finding]:
    """From the daemon's socket to each card; ends where looking further makes no sense."""
    pcsc = Path(os.environ.get("PCSCLITE_CSOCK_NAME") or PCSC_SOCKET)
    at_socket = _daemon_socket(daemon)
    yield at_socket
    if not at_socket.well:
        yield _pcscd(pcsc)
        return
    try:
        readers = client.readers()
    except cardea.CardeaError as error:
        yield Finding("cardd", error.message, error.reason, error.remedy)
        if error.reason == "PCSC_UNAVAILABLE":
            yield from _why_no_pcsc(pcsc)
        return
    yield Finding("cardd", "answers")
    # Wherever it listens: cardd has been told by [pcsc] socket.
    yield Finding("pcscd", "is reached by cardd")
    if not readers:
        yield _no_reader()
    for reader in readers:
        yield _reader(client, reader)


def worst(findings: list[Finding]) -> int:
    """The exit status: that of the first fault, 0 if there is none."""
    return next((exit_code(each.reason) for each in findings if not each.well), 0)


def _daemon_socket(path: Path) -> Finding:
    what = f"socket {path}"
    found = _connect(path)
    if found in (errno.ENOENT, errno.ENOTDIR):
        return Finding(what, "is not there: cardd is not running", "DAEMON_UNREACHABLE",
                       "systemctl enable --now cardd")  # fmt: skip
    if found == errno.ECONNREFUSED:
        return Finding(what, "nobody listens: cardd has crashed", "DAEMON_UNREACHABLE",
                       "systemctl restart cardd; journalctl -u cardd says why")  # fmt: skip
    if found in (errno.EACCES, errno.EPERM):
        return Finding(what, "you may not reach it", "ACCESS_DENIED",
                       "Add your user to the group cardea and log in anew; [socket] mode and the "
                       "rights of its folder decide.")  # fmt: skip
    if found:
        return Finding(what, os.strerror(found), "DAEMON_UNREACHABLE", "systemctl status cardd")
    return Finding(what, "is there and may be reached")


def _pcscd(path: Path) -> Finding:
    what = f"pcscd at {path}"
    found = _connect(path)
    if found in (errno.ENOENT, errno.ENOTDIR):
        return Finding(what, "is not running", "PCSC_UNAVAILABLE",
                       "apt-get install pcscd; systemctl enable --now pcscd.socket")  # fmt: skip
    if found == errno.ECONNREFUSED:
        return Finding(what, "nobody listens: pcscd has crashed", "PCSC_UNAVAILABLE",
                       "systemctl restart pcscd.socket pcscd")  # fmt: skip
    # Whether this user may reach it is no matter: cardd does.
    return Finding(what, "is running")


def _why_no_pcsc(path: Path) -> Iterator[Finding]:
    here = _pcscd(path)
    yield here
    if here.well and POLKIT_POLICY.exists():
        yield Finding(
            "polkit",
            "pcscd runs, but cardd cannot reach it: polkit may forbid it to the user cardea",
            "PCSC_UNAVAILABLE",
            "Allow the user cardea the actions org.debian.pcsc-lite.access_pcsc and access_card "
            "with a rule in /etc/polkit-1/rules.d.",
        )
    elif here.well:
        yield Finding(
            "cardd",
            "pcscd runs, but cardd cannot reach it: it looks at another socket, or starts just now",
            "PCSC_UNAVAILABLE",
            "Compare [pcsc] socket in /etc/cardea/cardd.toml; systemctl restart cardd",
        )


def _no_reader() -> Finding:
    drivers = DRIVERS.is_dir() and any(DRIVERS.iterdir())
    remedy = "Plug one in; lsusb must list it, and journalctl -u pcscd says what its driver thinks."
    if not drivers:
        remedy = "There is no driver: apt-get install libccid; systemctl restart pcscd"
    return Finding("reader", "pcscd knows of none", "READER_NOT_FOUND", remedy)


def _reader(client: cardea.Client, reader: readers_pb2.Reader) -> Finding:
    what = f"reader {unquote(reader.name.removeprefix('readers/'))}"
    if reader.state == readers_pb2.READER_STATE_EMPTY:
        return Finding(what, "is empty")
    try:
        client.transmit(reader.name, _SELECT_MF, max_wait_s=_PATIENCE_S)
    except cardea.CardeaError as error:
        if error.reason == "ACCESS_DENIED":  # a member of the group may not send APDUs
            return _by_state(what, reader)
        return _refused(what, error, _pcsc_programs())
    return Finding(what, f"has {reader.card or 'a card'}, which answers")


def _by_state(what: str, reader: readers_pb2.Reader) -> Finding:
    if reader.state == readers_pb2.READER_STATE_CARD_READY:
        return Finding(what, f"has {reader.card}")
    reason = {
        readers_pb2.READER_STATE_CARD_MUTE: "CARD_MUTE",
        readers_pb2.READER_STATE_UNAVAILABLE: "PCSC_UNAVAILABLE",
    }.get(reader.state, "CARD_BUSY")
    word = readers_pb2.ReaderState.Name(reader.state).removeprefix("READER_STATE_")
    return Finding(what, word.replace("_", " ").lower(), reason, REMEDIES.get(reason, ""))


def _refused(what: str, error: cardea.CardeaError, others: list[str]) -> Finding:
    holder = error.facts.get("holder", "")
    if error.reason == "CARD_BUSY" and holder == _FOREIGN:
        who = f": perhaps {', '.join(others)}" if others else ""
        return Finding(what, f"the card is held by another PC/SC program{who}", "CARD_BUSY",
                       "End that program, or let it use cardd.")  # fmt: skip
    if error.reason == "CARD_BUSY":
        return Finding(what, f"the card is held by {holder}", "CARD_BUSY",
                       "Wait; cardctl top shows who holds it and who waits.")  # fmt: skip
    return Finding(what, error.message, error.reason, error.remedy)


def _pcsc_programs() -> list[str]:
    """Programs that have loaded the PC/SC library, as far as this user may look."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            uses = "libpcsclite" in (process / "maps").read_text()
        except OSError:
            continue
        if uses and name not in ("pcscd", "cardd") and int(process.name) != os.getpid():
            found.append(f"{name} (pid {process.name})")
    return sorted(found)


def _connect(path: Path) -> int:
    """0 if somebody listens there and may be reached, else the error number."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            return probe.connect_ex(str(path))
        except OSError as error:  # a path that is too long
            return error.errno or errno.EINVAL
