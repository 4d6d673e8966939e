"""The private PC/SC stack: isolation, crashes, and that nothing is left behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from smartcard import scard
from softcard import LinkError, SoftCard, StackError
from softcard.pcscd import listening_ports
from softcard.stack import VirtualReaders
from support.client import Client, ClientError, eventually
from support.stack import READERS, Pcsc


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that ended and was not waited for is no process any more.
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_reader_names_are_those_that_pcscd_lists(pcsc: Pcsc) -> None:
    with Client() as client:
        assert tuple(client.readers()) == pcsc.names
    assert len(pcsc.names) == READERS


def test_readers_listen_on_loopback_only(pcsc: Pcsc) -> None:
    own = set()
    for line in Path(f"/proc/{pcsc.readers.pid}/net/tcp").read_text().splitlines()[1:]:
        address, state = line.split()[1], line.split()[3]
        host, _, port = address.partition(":")
        if state == "0A" and int(port, 16) in listening_ports(pcsc.readers.pid):
            own.add(host)
    assert own == {"0100007F"}


def test_two_stacks_live_side_by_side(pcsc: Pcsc, tmp_path: Path) -> None:
    with VirtualReaders(tmp_path / "other") as other:
        assert other.pid != pcsc.readers.pid
        assert other.socket != pcsc.readers.socket
        assert not listening_ports(other.pid) & listening_ports(pcsc.readers.pid)
        other.insert(0, SoftCard.from_profile("bare"))
        with Client() as client:
            assert client.state(pcsc.names[0])[0] & scard.SCARD_STATE_EMPTY
        pid = other.pid
    assert not _alive(pid)
    assert not other.socket.exists()


def test_killed_pcscd_is_gone_for_its_clients_and_comes_back_with_the_cards(pcsc: Pcsc) -> None:
    card = pcsc.insert("operator")
    before = pcsc.readers.pid
    with Client() as client, client.connection(pcsc.names[0]) as send:
        assert send("00A4080C022FE2") == "9000"
        pcsc.readers.kill_pcscd()
        assert not card.inserted
        with pytest.raises(ClientError):
            send("00B000000A")
        with pytest.raises(ClientError) as caught:
            Client()
        assert caught.value.code == scard.SCARD_E_NO_SERVICE & 0xFFFFFFFF
    pcsc.readers.restart_pcscd()
    assert pcsc.readers.pid not in (0, before)
    assert card.inserted
    with Client() as client, client.connection(pcsc.names[0]) as send:
        assert send("00A4080C022FE2") == "9000"


def test_unplugged_reader_is_unavailable_until_the_next_start(pcsc: Pcsc) -> None:
    pcsc.insert("operator")
    pcsc.readers.unplug(0)
    with Client() as client:
        eventually(lambda: client.state(pcsc.names[0])[0] & scard.SCARD_STATE_UNAVAILABLE)
        assert client.state(pcsc.names[1])[0] & scard.SCARD_STATE_EMPTY
    assert pcsc.readers.plug(0)
    assert not pcsc.readers.plug(0)
    pcsc.readers.restart_pcscd()
    pcsc.insert("operator")
    with Client() as client:
        assert client.state(pcsc.names[0])[0] & scard.SCARD_STATE_PRESENT


def test_stock_poll_takes_its_400_ms(tmp_path: Path) -> None:
    with VirtualReaders(tmp_path, fast_poll=False) as readers:
        card = SoftCard.from_profile("operator")
        readers.insert(0, card)
        readers.remove(0)
        before = time.monotonic()
        readers.insert(0, card)
        assert time.monotonic() - before > 0.8


def test_occupied_reader_takes_no_second_card(pcsc: Pcsc) -> None:
    first = pcsc.insert("operator")
    with pytest.raises(StackError, match="holds"):
        pcsc.insert("bare")
    assert first.inserted


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0,
    reason="user namespaces are not permitted here, and are what this way needs",
)
def test_stack_works_where_nobody_may_make_the_run_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softcard.pcscd._run_folder", lambda: False)
    with VirtualReaders(tmp_path) as readers:
        pid = readers.pid
        card = SoftCard.from_profile("operator")
        readers.insert(0, card)
        assert card.inserted
    assert not _alive(pid)
    hidden = VirtualReaders(Path("/run/softcard-test"))
    with pytest.raises(StackError, match="sudo mkdir /run/pcscd"):
        hidden.__enter__()
    shutil.rmtree("/run/softcard-test")


def test_number_of_readers_is_bounded(tmp_path: Path) -> None:
    for count in (0, 17):
        with pytest.raises(StackError, match="1 to 16"):
            VirtualReaders(tmp_path, readers=count)


def test_too_long_a_path_is_said_to_be_one(tmp_path: Path) -> None:
    with (
        pytest.raises(StackError, match="longer than 107 bytes"),
        VirtualReaders(tmp_path / ("x" * 100)),
    ):
        pass


def test_missing_programs_are_named_as_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softcard.pcscd.shutil.which", lambda *_, **__: None)
    with (
        pytest.raises(StackError, match=r"apt-get install .* pcscd gcc libc6-dev"),
        VirtualReaders(tmp_path),
    ):
        pass


def test_error_inside_the_context_stops_pcscd(tmp_path: Path) -> None:
    readers = VirtualReaders(tmp_path)

    def fail() -> None:
        with readers:
            pids.append(readers.pid)
            raise KeyError

    pids: list[int] = []
    with pytest.raises(KeyError):
        fail()
    assert not _alive(pids[0])
    assert readers.pid == 0


def test_pcscd_dies_with_its_parent(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from softcard.stack import VirtualReaders
        with VirtualReaders(Path({str(tmp_path)!r})) as readers:
            print(readers.pid, flush=True)
            time.sleep(60)
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert _alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not _alive(pid))


def test_card_that_meets_no_pcscd_is_told_so() -> None:
    """Something listens there, but never asks for the ATR."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        card = SoftCard.from_profile("operator")
        with pytest.raises(LinkError, match="did not ask"):
            card.insert("127.0.0.1", server.getsockname()[1], timeout_s=0.1)
        assert not card.inserted
