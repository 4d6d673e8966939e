"""Our daemon under small cards that are not ours, and beside the PC/SC tools of others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from dmsd import ca
from softcard.stack import VirtualReaders
from support.client import LIMIT_S, eventually
from support.system import CONFIRMED, INSTALLED, Site, open_site

from foreign import card as foreign
from foreign import documents
from foreign.card import ForeignCard, Manner

ICCID = "8988211000000111111"
BOOTSTRAP = bytes.fromhex("672B0501")
T1, T0 = "3B800181" + "00", "3B00"
MANNERS = [
    Manner("T=1, FCI, no channels", "3B80800101", fci=0x6F, size_tag=0x81),
    Manner("T=0, 61xx and 6Cxx", T0, t0=True),
    Manner("T=0, short reads", T0, t0=True, most=100),
    Manner("T=1, 128 bytes a read, no INS for channels", "3B80800101", most=128),
    Manner("no channels, said by 6881", "3B80800101", unknown_ins=0x6881),
    Manner("no AID known", T0, t0=True, aids=False),
]


def _files(where: tuple[int, ...], entry: bytes, document: bytes) -> foreign.Files:
    return {
        (0x2FE2,): foreign.iccid(ICCID),
        (*where, 0x5031): foreign.odf(0x4401).ljust(64, b"\xff"),
        (*where, 0x5032): foreign.tlv(0x30, foreign.tlv(0x02, b"\0"), foreign.tlv(0x04, b"\x42")),
        (*where, 0x4401): entry.ljust(96, b"\xff"),
        (*where, 0x4402): document.ljust(700, b"\xff"),
    }


@pytest.fixture(scope="module")
def site(virtual_readers: VirtualReaders, authority: ca.CaFiles) -> Iterator[Site]:
    with open_site(virtual_readers, authority) as made:
        made.know("operator")
        made.desire({"./Service/News/URL": "https://news.example/1"})
        yield made


@pytest.mark.parametrize("listed", ["in EF(DIR)", "by AID only", "DF 7F50 only"])
@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.name)
def test_a_document_is_found_on_a_card_whatever_the_card_can_do(
    site: Site, manner: Manner, listed: str
) -> None:
    form = "oidDO" if manner.t0 else "opaqueDO"
    if listed == "by AID only" and not manner.aids:
        listed = "DF 7F50 only"
    entry = foreign.opaque_do if form == "opaqueDO" else foreign.oid_do
    name = f"{abs(hash((manner.name, listed, form))) % 10**6}.example"
    files = _files((0x7F50,), entry(BOOTSTRAP, b"\x44\x02"), documents.access_point(name))
    if listed == "in EF(DIR)":
        template = foreign.tlv(
            0x61, foreign.tlv(0x4F, foreign.PKCS15), foreign.tlv(0x51, b"\x3f\x00\x7f\x50")
        )
        files[(0x2F00,)] = [template.ljust(40, b"\xff"), b"\xff" * 40]
    elif listed == "by AID only":
        other = foreign.tlv(0x61, foreign.tlv(0x4F, foreign.USIM))
        files[(0x2F00,)] = [other.ljust(40, b"\xff")]
    aids = {foreign.PKCS15: (0x7F50,)} if listed != "DF 7F50 only" else {}
    card = ForeignCard(manner, files, aids)
    before = site.last(ICCID)
    card.insert(site.system.readers.port(0))
    try:
        result = site.ended(ICCID, before)
        assert result.stage == INSTALLED, result
        assert site.value("./NAP/1/Addr") == (name, f"card {ICCID}")
    finally:
        card.remove()
        eventually(lambda: not any(reader.card for reader in site.client.readers()))


# A line for each time that it has had the card.
LOOP = """
import sys, time
from smartcard import scard
from smartcard.System import readers
from smartcard.util import toBytes
while True:
    try:
        c = readers()[0].createConnection()
        c.connect(disposition=getattr(scard, sys.argv[1]))
        data, one, two = c.transmit(toBytes("00A40004023F0000"))
        print(flush=True)
        c.disconnect()
    except Exception as error:
        print(error, file=sys.stderr)
    time.sleep(0.01)
"""


def _environment(site: Site) -> dict[str, str]:
    # OpenSC leaves cards alone whose ATR it does not know, unless it is told otherwise.
    configuration = site.system.folder / "opensc.conf"
    configuration.write_text("app default { enable_default_driver = true; }\n")
    socket = str(site.system.readers.socket)
    return {**os.environ, "PCSCLITE_CSOCK_NAME": socket, "OPENSC_CONF": str(configuration)}


def _tool(site: Site, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=_environment(site),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@contextmanager
def _looping(site: Site, at_end: str) -> Iterator[list[str]]:
    """A program that takes the card again and again, and how often it has had it."""
    command = [sys.executable, "-c", LOOP, at_end]
    had: list[str] = []
    with subprocess.Popen(
        command, env=_environment(site), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = process.stdout

        def listen() -> None:
            for line in lines:
                had.append(line)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield had
        finally:
            process.kill()
            thread.join()


# A program that powers the card off takes it from every other program that has connected and not
# begun its transaction yet: pcscd tells that one "reset", daemon or no daemon, and it tries again.
@pytest.mark.parametrize(("at_end", "tries"), [("SCARD_LEAVE_CARD", 1), ("SCARD_UNPOWER_CARD", 3)])
def test_others_tools_and_the_daemon_share_a_card_and_nobody_starves(
    site: Site, at_end: str, tries: int
) -> None:
    """opensc-tool, pkcs15-tool and a pyscard loop, while the daemon provisions and serves."""
    site.remove()
    card = site.card()

    with _looping(site, at_end) as had:

        def served() -> int:
            for command in (
                ["opensc-tool", "-a", "-r", "0"],
                ["opensc-tool", "-s", "00A40004023F0000"],
            ):
                assert any(_tool(site, *command).returncode == 0 for _ in range(tries))
            file = site.client.read("", "EF.ICCID", max_wait_s=10)
            assert file.decoded["iccid"] == card.profile.serial
            return len(had)

        assert site.inserted(card).stage == CONFIRMED
        for _ in range(4):
            served()
        eventually(lambda: served() > 10)
    assert site.provision().stage == CONFIRMED
    dump = _tool(site, "pkcs15-tool", "--dump")
    assert "PKCS#15 Card [Provisioning]" in dump.stdout, dump.stderr


def test_a_reset_by_another_program_is_noticed_and_the_daemon_goes_on(site: Site) -> None:
    for _ in range(3):
        assert _tool(site, "opensc-tool", "--reset=cold").returncode == 0
        assert site.client.read("", "EF.ICCID").decoded["iccid"]
        assert _tool(site, "opensc-tool", "--reset=warm").returncode == 0
        assert site.client.read("", "USIM/EF.IMSI").decoded["imsi"]
    assert site.provision().stage == CONFIRMED
