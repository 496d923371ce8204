"""Ports for servers that tests start."""

import random
import socket

# Below those that the kernel gives to whoever connects: such a port stays free while a server is started again.
OURS = range(20_000, 30_000)


def free() -> int:
    """This will answer a port on which nobody listens."""
    while True:
        port = random.choice(OURS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
