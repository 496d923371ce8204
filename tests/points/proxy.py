"""A server's socket that can lose what the server answers: for COMMITs whose acknowledgement never arrives."""

import contextlib
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from django.db import connection, connections

_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
# What a server says of itself, asked or not, before its sessions end because another one has crashed.
_CRASHED = b"SWARNING\x00VWARNING\x00C57P02\x00Mterminating connection because of crash\x00\x00"


class Proxy:
    """Hands all bytes on, until it has been told to lose the answer to a COMMIT."""

    def __init__(self, folder: str, upstream: str | tuple[str, int]) -> None:
        self.losing = 0
        self.seconds_late = 0.0
        self.lost = 0
        self._upstream = upstream
        self._sessions: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(Path(folder) / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, count: int, *, seconds_late: float = 0) -> None:
        """This will let so many of the next COMMITs through, and hang up instead of handing on the answer; a late one
        arrives when the caller is trying again already."""
        self.losing, self.seconds_late = count, seconds_late

    def crash(self) -> None:
        """This will end all sessions as a server does that crashes: it says so and hangs up."""
        for client, server in self._sessions:
            with contextlib.suppress(OSError):
                client.sendall(b"N" + struct.pack("!I", 4 + len(_CRASHED)) + _CRASHED)
                # First: by then the other thread has not closed it, and the server lets go of its locks.
                server.shutdown(socket.SHUT_RDWR)
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        # Closing alone would not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        family = socket.AF_UNIX if isinstance(self._upstream, str) else socket.AF_INET
        server = socket.socket(family)
        server.connect(self._upstream)
        self._sessions.append((client, server))
        threading.Thread(target=self._hand_on, args=[server, client], daemon=True).start()
        with contextlib.suppress(OSError), client, server:
            while sent := client.recv(65536):
                is_lost = _COMMIT in sent and self.losing > 0
                if is_lost:
                    self.losing -= 1
                    self.lost += 1
                    client.shutdown(socket.SHUT_RDWR)
                    time.sleep(self.seconds_late)
                server.sendall(sent)
                if is_lost:
                    # Goes on only once the server has committed: it closes when it has been told to.
                    server.sendall(b"X\x00\x00\x00\x04")
                    while server.recv(65536):
                        pass

    def _hand_on(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while answered := server.recv(65536):
                client.sendall(answered)
            client.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxied() -> Iterator[Proxy]:
    """This thread's connection goes through a proxy."""
    settings = connection.settings_dict
    host, port = settings["HOST"] or "127.0.0.1", int(settings["PORT"] or 5432)
    upstream = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
    with tempfile.TemporaryDirectory(prefix="proxy-", dir="/tmp") as folder:
        proxy = Proxy(folder, upstream)
        connections["default"].close()
        connection.settings_dict = settings | {"HOST": folder, "PORT": "5432"}
        try:
            yield proxy
        finally:
            connections["default"].close()
            connection.settings_dict = settings
            proxy.close()
