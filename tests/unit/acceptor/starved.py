"""An acceptor in a process with few descriptors: `starved.py LISTENER_FD UPSTREAM DESCRIPTORS`.

Accepts until its standard input ends.
"""

import os
import resource
import sys

from cardea_core import Acceptor


def main(listener_fd: str, upstream: str, descriptors: str) -> None:
    acceptor = Acceptor(int(listener_fd), upstream)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + int(descriptors), hard))
    print("ready", flush=True)
    sys.stdin.read()
    acceptor.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
