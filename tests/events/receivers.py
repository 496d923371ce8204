"""Receivers of webhooks: real HTTP servers on the loopback, each in a thread of its own."""

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclasses.dataclass(frozen=True)
class Seen:
    """A request that came, and when; `path` as it was asked for."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


# What a receiver does with a request: the status, or something of its own with the handler.
Conduct = Callable[["Handler", Seen], int | None]


class Receiver(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, conduct: Conduct, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.conduct = conduct
        self.seen: list[Seen] = []
        self.connections = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"] or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # The sender died in the middle of it.
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.path, headers, body, time.monotonic())
        with self.server.lock:
            self.server.seen.append(seen)
        status = self.server.conduct(self, seen)
        if status is not None:
            self.answer(status)

    def do_GET(self) -> None:
        """A redirect that was followed would come so."""
        self.do_POST()

    def answer(self, status: int, body: bytes = b"ok", **headers: str) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextlib.contextmanager
def receiving(conduct: Conduct | int = 200, *, port: int = 0) -> Iterator[Receiver]:
    """This will answer requests that way, or with that status."""
    behave: Conduct = (lambda _, __: conduct) if isinstance(conduct, int) else conduct
    with Receiver(behave, port) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=[0.02])
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
