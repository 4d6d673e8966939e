"""The daemon starts and serves with no more system calls than its systemd unit leaves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.daemon import RunningDaemon
from support.stack import Pcsc

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "packaging" / "systemd" / "cardd.service"
UNDER_FILTER = (sys.executable, str(ROOT / "tests" / "support" / "sandbox.py"), str(UNIT))


def test_the_daemon_serves_under_the_filter_of_its_unit(pcsc: Pcsc) -> None:
    with RunningDaemon(pcsc.readers.socket, under=UNDER_FILTER) as daemon:
        with daemon.client() as client:
            assert client.readers()
        assert daemon.admin_socket.is_socket()
        assert daemon.stop() == 0


def test_a_template_is_bounded_under_the_filter_too() -> None:
    code = """
from cardd.render.output import PlanError
from cardd.render.template import template_file
from cardd.tree import ManagementTree
try:
    template_file("{{ 'x' * 10 ** 10 }}", "f")(ManagementTree().snapshot)
except PlanError as error:
    print(error)
"""
    done = subprocess.run(
        [*UNDER_FILTER, sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "needs more than" in done.stdout


def test_the_filter_holds() -> None:
    """Else the other test would show nothing."""
    code = "import os; os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))"
    done = subprocess.run(
        [*UNDER_FILTER, sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "PermissionError" in done.stderr


def test_what_watchers_were_told_is_known_until_the_next_boot() -> None:
    """It is noted beside the socket, which systemd would else remove when the unit is stopped."""
    assert "\nRuntimeDirectoryPreserve=yes\n" in UNIT.read_text()
