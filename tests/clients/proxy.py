"""Stands before the service, hands requests on, and does to the next of them what it was told to."""

import contextlib
import dataclasses
import http.client
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 30


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a request gets that does not arrive."""

    status: int
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""


# The request arrives, and its answer is lost or comes too late.
LOSE = "lose"
HANG = "hang"

Fate = Answer | str


@dataclasses.dataclass(frozen=True)
class Seen:
    key: str | None
    at: float


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = urllib.parse.urlsplit(service).netloc
        self.next: list[Fate] = []
        self.seen: list[Seen] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def keys(self) -> list[str | None]:
        """Which keys came, one for each try."""
        return [request.key for request in self.seen]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _serve(self) -> None:
        self.server.seen.append(Seen(self.headers["Idempotency-Key"], time.monotonic()))
        fate = self.server.next.pop(0) if self.server.next else None
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if isinstance(fate, Answer):
            self._answer(fate)
            return
        answer = self._hand_on(body)
        if fate == HANG:
            self._wait_until_the_caller_hangs_up()
        if fate is None:
            self._answer(answer)
        else:
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that the library looks for

    def _hand_on(self, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self.server.service)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
            return Answer(answer.status, headers, answer.read())

    def _wait_until_the_caller_hangs_up(self) -> None:
        self.connection.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionError):
            self.connection.recv(1)

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in (answer.headers | {"Content-Length": str(len(answer.body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextlib.contextmanager
def proxied(service: str) -> Iterator[Proxy]:
    """This will stand before the service."""
    with Proxy(service) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=[0.02])
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
