"""A program that uses the client ends when it has come to its end.

gRPC's objects of calls that go on must be gone before the interpreter is: whoever frees one of them
later waits for a lock that a thread of gRPC's may have taken with it. That is a race, which these
tests do not try to win: they look whether there is such an object.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import cardea
import pytest
from support.daemon import RunningDaemon
from support.stack import Pcsc

SELECT_ICCID = bytes.fromhex("00A4000C022FE2")
# Within it a card answers, however busy the machine is.
LIMIT_S = 3.0

PROGRAM = """
import atexit, gc, sys
import grpc

@atexit.register  # the first to register is the last to run
def count():
    print(sum(issubclass(type(each), grpc.Call) for each in gc.get_objects()), "calls are left")

import cardea

client = cardea.Client(sys.argv[1])
"""

ENDS = {
    "a session that ended well": """
with client, client.session() as session:
    session.transmit(bytes.fromhex("00A4000C022FE2"))
""",
    "a session of a client that nobody closes": """
with client.session() as session:
    session.transmit(bytes.fromhex("00A4000C022FE2"))
""",
    "a session that nobody ends": "session = client.session().__enter__()",
    "an error that somebody keeps": """
try:
    client.session("cards/none").__enter__()
except cardea.CardeaError as error:
    kept = error
""",
    "an error that nobody catches": """
client.session("cards/none").__enter__()
""",
    "an error within a session": """
with client.session() as session:
    raise KeyboardInterrupt
""",
    "a watch that somebody keeps": """
watch = client.watch_readers()
next(watch)
""",
    "a watch that is interrupted": """
import signal
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.2)
for event in client.watch_readers():
    pass
""",
    "a document read in pieces": "client.export()",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_no_call_of_grpcs_outlives_the_program(daemon: RunningDaemon, pcsc: Pcsc, end: str) -> None:
    pcsc.insert()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + end, daemon.socket],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "0 calls are left\n", done.stderr


def test_a_child_that_was_forked_beside_a_call_ends_too(daemon: RunningDaemon) -> None:
    program = """
import os, sys
import cardea

client = cardea.Client(sys.argv[1])
watch = client.watch_readers()
next(watch)
child = os.fork()
if child:
    print(os.waitpid(child, 0)[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, daemon.socket],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "0\n"


def test_a_daemon_that_does_not_answer_is_not_waited_for_for_ever(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    pcsc.insert()
    words: list[str] = []
    with cardea.Client(str(daemon.socket), timeout_s=LIMIT_S) as client:
        with pytest.raises(cardea.CardeaError) as caught:
            use_a_daemon_that_stops(client, daemon, words)
        assert caught.value.reason == "DEADLINE"
        assert words == ["9000", "9000"]
        with daemon.client() as other, other.session() as session:  # the card is free again
            assert session.transmit(SELECT_ICCID).hex() == "9000"


def use_a_daemon_that_stops(client: cardea.Client, daemon: RunningDaemon, words: list[str]) -> None:
    with client.session() as session:
        words.append(session.transmit(SELECT_ICCID).hex())
        time.sleep(LIMIT_S + 0.5)  # a pause of the program's own counts for nothing
        words.append(session.transmit(SELECT_ICCID).hex())
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            words.append(session.transmit(SELECT_ICCID).hex())
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
