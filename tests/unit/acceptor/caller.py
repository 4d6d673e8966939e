"""A gRPC client in a process of its own: `caller.py SOCKET METHOD [UID GROUP,GROUP,…]`.

Becomes that user (which needs root), calls one method without arguments and prints the answer.
"""

import os
import sys

import grpc


def main(socket_path: str, method: str, uid: str = "", groups: str = "") -> None:
    # The channel comes first: it imports what the other user may not read, and connects later.
    with grpc.insecure_channel(f"unix:{socket_path}") as channel:
        if uid:
            os.setgroups([int(group) for group in groups.split(",") if group])
            os.setgid(int(uid))
            os.setuid(int(uid))
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes]
        call = channel.unary_unary(f"/test.Service/{method}")
        print(call(b"", timeout=60).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
