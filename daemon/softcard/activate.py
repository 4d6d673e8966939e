"""Run as a script: hand a listening socket to a daemon by socket activation, then become it.

    python activate.py SOCKET_FD PARENT_PID PROGRAM ARGUMENT…

The daemon gets SIGTERM when the thread that started this script ends: nothing outlives it.
Only the standard library, no package: it runs with -I, in a name space of its own perhaps.
"""

import ctypes
import os
import signal
import sys

# First descriptor that the activation protocol passes: sd_listen_fds(3).
_FIRST_PASSED_FD = 3
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the program."""
    descriptor, parent = int(arguments[0]), int(arguments[1])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # The parent may have died before the call; a name space may hide its number.
    if parent and os.getppid() != parent:
        raise SystemExit("the parent has ended")
    os.dup2(descriptor, _FIRST_PASSED_FD, inheritable=True)
    if descriptor != _FIRST_PASSED_FD:
        os.close(descriptor)
    environment = dict(os.environ, LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execve(arguments[2], arguments[2:], environment)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
